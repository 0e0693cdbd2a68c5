/** Self-attention in numbers: the pixels that are looked at most; a click makes one of them the query. */

import { useEffect, useRef } from "preact/hooks";
import { pin_pixel } from "../actions.ts";
import { TOP_KEYS } from "../paint/keys.ts";
import type { UV } from "../wire/protocol.ts";
import { Readout } from "./Bars.tsx";
import { useView } from "./context.ts";

export function Keys() {
  const view = useView();
  const { painter, scope } = view;
  const { level } = scope.at.value;
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    painter.parts.keys = list.current;
    painter.schedule();
    return () => {
      painter.parts.keys = null;
    };
  }, [painter]);
  const uv = (event: Event) =>
    ((event.currentTarget as HTMLElement).dataset.uv ?? "").split(",").map(Number) as unknown as UV;
  return (
    <section class="as-bars-pane" aria-label="most attention">
      <Readout />
      {level !== "head" && <Way />}
      <div class="as-bars as-keys" ref={list}>
        {Array.from({ length: TOP_KEYS }, (_, i) => (
          <button
            key={i}
            type="button"
            class="as-bar"
            title="look from here"
            onClick={(event) => pin_pixel(view, uv(event))}
          >
            <span class="as-word">–</span>
            <span class="as-track">
              <span class="as-fill" />
            </span>
            <span class="as-value" />
          </button>
        ))}
      </div>
      <p class="as-note">the pixels with most attention; click one to look from there</p>
    </section>
  );
}

/** Rows or columns, where there is room for one of them. */
function Way() {
  const { scope } = useView();
  const { direction, uv, region } = scope.state.is;
  const pointed = uv.value !== null || region.value !== null;
  const ways = [
    ["row", "attends to"],
    ["column", "attended by"],
  ] as const;
  return (
    <div class="as-segments as-way" role="group" aria-label="which way the pinned pixel is looked at">
      {ways.map(([way, text]) => (
        <button
          key={way}
          type="button"
          aria-pressed={pointed && direction.value === way}
          disabled={!pointed}
          title={pointed ? `${text} (r)` : "pin a pixel first"}
          onClick={() => scope.state.set({ direction: way })}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
