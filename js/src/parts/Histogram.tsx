/** The values on screen above their colours, and the handles that say where the colours begin and end. */

import { position } from "../maps/scaling.ts";
import { moved_limits } from "../paint/histogram.ts";
import type { View } from "../view.tsx";
import { useView } from "./context.ts";
import { uv_in } from "./pointer.ts";

const NAMES = ["lowest colour", "highest colour"] as const;
const BY: Record<string, number> = {
  ArrowLeft: -0.01,
  ArrowDown: -0.01,
  ArrowRight: 0.01,
  ArrowUp: 0.01,
  PageDown: -0.1,
  PageUp: 0.1,
  Home: -1,
  End: 1,
};

function move(view: View, end: 0 | 1, to: number): void {
  const { shown, axis } = view.painter;
  const { transform } = view.scope.state.is;
  if (!shown) return;
  const limits = moved_limits(end, to, shown.limits, axis, transform.peek());
  view.scope.state.set({ scale: "fixed", limits });
}

const reset = ({ scope }: View): void => scope.state.set({ scale: "auto", limits: null });

export function Histogram() {
  const view = useView();
  const { painter, scope } = view;
  const drop = () => {
    painter.dragging = false;
    painter.schedule();
  };
  const step = (end: 0 | 1, by: number) => {
    const { shown, axis } = painter;
    if (!shown) return;
    const { lo, hi } = shown.limits;
    move(view, end, position(end ? hi : lo, axis, scope.state.is.transform.peek()) + by);
  };
  return (
    <div
      class="as-histogram"
      role="group"
      aria-label="limits of the colours"
      ref={(element) => void (painter.parts.histogram = element)}
      onDblClick={() => reset(view)}
      title="drag an end to fix the scale; double click: as it was"
    >
      <svg viewBox="0 0 96 1" preserveAspectRatio="none" aria-hidden="true">
        <path />
      </svg>
      {([0, 1] as const).map((end) => (
        <span
          key={end}
          class="as-end"
          role="slider"
          tabIndex={0}
          aria-label={NAMES[end]}
          aria-valuemin={0}
          aria-valuemax={1}
          aria-valuenow={end} // from then on the painter's
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            painter.dragging = true;
          }}
          onPointerMove={(event) => {
            if (!painter.dragging) return;
            move(view, end, uv_in(event.currentTarget.parentElement as Element, event)[0]);
          }}
          onLostPointerCapture={drop}
          onKeyDown={(event) => {
            const by = BY[event.key];
            if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            event.stopPropagation();
            step(end, by);
          }}
        />
      ))}
    </div>
  );
}
