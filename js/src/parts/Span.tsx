/** Two handles on the line of steps: playback runs between them. */

import { useRef } from "preact/hooks";
import { nearest, target_of } from "../scope/axis.ts";
import { range_of } from "../scope/player.ts";
import type { Traits } from "../scope/state.ts";
import { useView } from "./context.ts";
import { uv_in } from "./pointer.ts";

/** The span after one of its ends was moved to a step, both by index; null where it is all there is. */
export function moved_span(
  steps: readonly { step: number }[],
  [first, last]: readonly [number, number],
  end: 0 | 1,
  to: number,
): Traits["span"] {
  const next = end === 0 ? [Math.min(to, last), last] : [first, Math.max(to, first)];
  const [from, until] = next as [number, number];
  if (from === 0 && until === steps.length - 1) return null;
  return [(steps[from] as { step: number }).step, (steps[until] as { step: number }).step];
}

export function SpanHandles({ ends: [first, last] }: { ends: readonly [number, number] }) {
  const { scope } = useView();
  const { steps } = scope.manifest;
  const { span } = scope.state.is;
  const dragged = useRef(false);
  if (steps.length < 2) return null;
  const cells = last - first + 1;
  const range = range_of(steps, span.value);
  const labels = range.map((index) => (steps[index] as { step: number }).step) as [number, number];
  const edges = [(labels[0] - first) / cells, (labels[1] - first + 1) / cells] as const;
  const move = (end: 0 | 1, to: number) => scope.state.set({ span: moved_span(steps, range, end, to) });
  return (
    <div class={span.value ? "as-span as-set" : "as-span"} style={{ "--as-from": edges[0], "--as-until": edges[1] }}>
      {([0, 1] as const).map((end) => (
        <span
          key={end}
          class="as-span-end"
          style={{ "--as-x": edges[end] }}
          role="slider"
          tabIndex={0}
          aria-label={end ? "playback ends" : "playback begins"}
          aria-valuemin={(steps[0] as { step: number }).step}
          aria-valuemax={steps.at(-1)?.step}
          aria-valuenow={labels[end]}
          aria-valuetext={`step ${labels[end]}`}
          title={`playback ${end ? "ends" : "begins"} at step ${labels[end]}; double click: all steps`}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            dragged.current = true;
          }}
          onPointerMove={(event) => {
            if (!dragged.current) return;
            const [u] = uv_in(event.currentTarget.parentElement as Element, event);
            move(end, nearest(steps, first + u * cells - end));
          }}
          onLostPointerCapture={() => {
            dragged.current = false;
          }}
          onDblClick={() => scope.state.set({ span: null })}
          onKeyDown={(event) => {
            const to = target_of(event.key, range[end], steps.length);
            if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            event.stopPropagation();
            move(end, to);
          }}
        />
      ))}
    </div>
  );
}
