/** An error in words, where it happened; its traceback one click away. */

import { useState } from "preact/hooks";

export function ErrorCard(props: {
  text: string;
  trace: string | null | undefined;
  retry?: () => void;
  dismiss?: () => void;
}) {
  const [copied, set_copied] = useState(false);
  const copy = async () => {
    await copy_text(props.trace ?? props.text);
    set_copied(true);
  };
  return (
    <div class="as-error" role="alert">
      <p>{props.text}</p>
      <div class="as-error-actions">
        {props.retry && (
          <button type="button" onClick={props.retry}>
            Retry
          </button>
        )}
        <button type="button" onClick={copy}>
          {copied ? "Copied" : props.trace ? "Copy traceback" : "Copy"}
        </button>
        {props.dismiss && (
          <button type="button" onClick={props.dismiss}>
            Dismiss
          </button>
        )}
      </div>
    </div>
  );
}

/** The clipboard interface needs a secure page; Jupyter on plain http has only the old command. */
export async function copy_text(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
