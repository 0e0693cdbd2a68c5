/** Pinned views as cards: looked at, named, ordered, gone back to. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { thumbnail } from "../export/thumbnail.ts";
import { glimpse, traits_of } from "../scope/glimpse.ts";
import { moved, restored } from "../scope/pins.ts";
import type { Scope } from "../scope/scope.ts";
import type { Pin } from "../scope/state.ts";
import type { Request } from "../wire/protocol.ts";
import { useView } from "./context.ts";

/** What the pinned views are drawn of. */
export const wanted_by_pins = (scope: Scope, pins = scope.state.is.pins.peek()): Request[] =>
  pins.flatMap((pin) => {
    const seen = glimpse(scope, { ...traits_of(scope.state), ...restored(pin) });
    return seen.visible(seen.at.peek());
  });

export function Pins() {
  const view = useView();
  const { scope, tray, leaving } = view;
  const pins = scope.state.is.pins.value;
  const open = tray.value && pins.length > 0;
  useLayoutEffect(() => {
    if (!open) return undefined;
    const asking = {};
    scope.transport.want(asking, [], wanted_by_pins(scope));
    return () => scope.transport.forget(asking);
  }, [open, pins, scope]);
  const root = useRef<HTMLElement>(null);
  // It opens below all else, where it may be out of sight.
  useEffect(() => root.current?.scrollIntoView({ block: "nearest" }), [open, pins.length]);
  if (!open) return null;
  return (
    <section class="as-pins" aria-label="pinned views" ref={root}>
      <ul>
        {pins.map((pin, i) => (
          <Card key={i} pin={pin} index={i} />
        ))}
      </ul>
      <button
        type="button"
        class="as-pins-sheet"
        onClick={() => (leaving.value = "pins")}
        title="export all pinned views"
      >
        export all
      </button>
    </section>
  );
}

function Card({ pin, index }: { pin: Pin; index: number }) {
  const view = useView();
  const { scope, news } = view;
  const canvas = useRef<HTMLCanvasElement>(null);
  const title = useRef<HTMLSpanElement>(null);
  const { pins } = scope.state.is;
  const state = restored(pin);
  const facts = scope.facts.value;
  const drawn = useRef<unknown[]>([]);
  news.value; // what it is drawn of may be on its way
  useLayoutEffect(() => {
    const now = [JSON.stringify(pin.state), facts];
    if (!canvas.current || !title.current || now.every((each, i) => each === drawn.current[i])) return;
    title.current.textContent = title.current.title = thumbnail(scope, state, canvas.current);
    const { transport } = scope;
    const settled = ({ id }: Request) => transport.has(id) || transport.failures.has(id);
    if (wanted_by_pins(scope, [pin]).every(settled)) drawn.current = now;
  });
  const put = (next: readonly Pin[]) => {
    scope.state.set({ pins: next });
  };
  const note = (text: string) => put(pins.peek().map((each, i) => (i === index ? { ...each, note: text } : each)));
  const go = () => {
    scope.state.set(state);
    view.say(`back to pinned view ${index + 1}`);
  };
  const move = (by: number) => put(moved(pins.peek(), index, index + by));
  const name = `pinned view ${index + 1}`;
  return (
    <li class="as-card">
      <button type="button" class="as-card-go" aria-label={`show ${name}`} onClick={go}>
        <canvas ref={canvas} width="1" height="1" />
      </button>
      <span class="as-card-title" ref={title} />
      <input
        type="text"
        maxLength={500}
        placeholder="note"
        aria-label={`note of ${name}`}
        value={pin.note}
        onKeyDown={(event) => {
          event.stopPropagation(); // letters are no keys here
          if (event.key === "Enter" || event.key === "Escape") view.hold_focus();
        }}
        onChange={(event) => note(event.currentTarget.value)}
      />
      <div class="as-card-tools">
        <button type="button" aria-label={`${name}: earlier`} disabled={index === 0} onClick={() => move(-1)}>
          ←
        </button>
        <button
          type="button"
          aria-label={`${name}: later`}
          disabled={index === pins.value.length - 1}
          onClick={() => move(1)}
        >
          →
        </button>
        <button
          type="button"
          aria-label={`remove ${name}`}
          onClick={() => {
            view.hold_focus();
            put(pins.peek().filter((_, i) => i !== index));
          }}
        >
          ×
        </button>
      </div>
    </li>
  );
}
