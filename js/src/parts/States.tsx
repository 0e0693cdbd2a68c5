/** What is said in place of a map, or beside it: nothing yet, an error, a kernel that does not answer. */

import { useView } from "./context.ts";
import { ErrorCard } from "./ErrorCard.tsx";

/** Nothing to show yet: what is waited for, under a UNet through which a light goes. */
export function Waiting() {
  const { title, note, live } = useView().scope.manifest;
  return (
    <div class={live ? "as-wait as-live" : "as-wait"} role="status">
      <div aria-hidden="true">
        {[34, 26, 19, 13, 19, 26, 34].map((size, i) => (
          <i key={i} style={{ "--as-size": `${size}px`, "--as-turn": i }} />
        ))}
      </div>
      <p>{title}</p>
      <pre>{note}</pre>
    </div>
  );
}

/** Answers of the kernel that were errors, for what is on screen. */
export function Failures() {
  const view = useView();
  const { scope, news } = view;
  news.value;
  const failed = scope.visible(scope.at.value).flatMap(({ id }) => {
    const failure = scope.transport.failures.get(id);
    return failure ? [{ id, ...failure }] : [];
  });
  return (
    <>
      {failed.map(({ id, text, trace }) => (
        <ErrorCard
          key={id}
          text={text}
          trace={trace}
          retry={() => {
            view.hold_focus();
            scope.transport.retry(id);
          }}
        />
      ))}
    </>
  );
}

export function Broken() {
  const view = useView();
  const error = view.broken.value;
  if (!error) return null;
  const dismiss = () => {
    view.hold_focus();
    view.broken.value = null;
  };
  return <ErrorCard text={error.message} trace={error.stack} dismiss={dismiss} />;
}

/** What the kernel does where it does not answer; nothing here ever waits for it with a blank page. */
export function Busy() {
  const { scope, news } = useView();
  news.value;
  const at = scope.at.value; // what is asked for changes without any news, where the kernel is silent
  const { transport } = scope;
  if (transport.gone) {
    const { steps } = scope.manifest;
    const here = steps.filter(({ step }) => scope.visible(at, step).every(({ id }) => transport.has(id)));
    return (
      <p class="as-busy" role="status">
        view only: {here.length} of {steps.length} steps are here
      </p>
    );
  }
  if (!transport.busy) return null;
  return (
    <p class="as-busy" role="status">
      kernel busy: showing what is here
    </p>
  );
}

export function Note() {
  const note = useView().note.value;
  return note ? <p class="as-key-note">{note}</p> : null;
}
