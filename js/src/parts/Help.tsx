/** The keys, by what they are for; made from the table that the keyboard reads. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { KEYS } from "../keyboard.ts";
import { useView } from "./context.ts";

export function Help() {
  const view = useView();
  return view.help.value ? <Keys /> : null;
}

function Keys() {
  const view = useView();
  const { help, root } = view;
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const element = dialog.current as HTMLDialogElement;
    element.showModal();
    return () => {
      const inside = element.matches(":focus-within, :focus");
      element.close(); // gives the focus back to where it was
      if (inside && !root.matches(":focus-within")) view.hold_focus();
    };
  }, [view, root]);
  const close = () => void (help.value = false);
  const groups = KEYS.map(
    ([group, keys]) => [group, keys.filter(({ part }) => !part || root.querySelector(part))] as const,
  );
  return (
    // A click beside the list closes it; the keyboard has Esc.
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <dialog
      ref={dialog}
      class="as-help"
      aria-label="keys"
      onClose={close}
      onClick={({ target, currentTarget }) => target === currentTarget && close()}
    >
      <div class="as-help-groups">
        {groups.map(([group, keys]) => (
          <section key={group}>
            <h2>{group}</h2>
            <dl>
              {keys.map(({ named, does }) => (
                <div key={named}>
                  <dt>
                    {named.split(" ").map((each) => (
                      <kbd key={each}>{each}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <button type="button" class="as-close" aria-label="close" onClick={close}>
        ×
      </button>
    </dialog>
  );
}
