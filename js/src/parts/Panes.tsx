/** The pictures with their maps: one, or A and B, or both directions of self-attention; the place to hover. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { pin_pixel } from "../actions.ts";
import { cell_at } from "../maps/fields.ts";
import { MapCanvas, type Role } from "../paint/targets.ts";
import { ARROWS } from "../roving.ts";
import type { CompareAs } from "../scope/state.ts";
import type { View } from "../view.tsx";
import { useView } from "./context.ts";
import { picture_pointer, uv_in } from "./pointer.ts";

const COMPARED: Record<CompareAs, readonly Role[]> = {
  side: ["a", "b", "difference"],
  swipe: ["swipe"],
  difference: ["difference"],
  blink: ["a"],
};

export function Panes() {
  const view = useView();
  const { scope } = view;
  const { compare_as, compare } = scope.state.is;
  const { kind, level } = scope.at.value;
  const compared = compare.value && scope.other_at.value;
  const both = kind === "self" && level === "head";
  useBlink(view, Boolean(compared) && compare_as.value === "blink");
  const roles: readonly Role[] = compared ? COMPARED[compare_as.value] : both ? ["row", "column"] : ["a"];
  return (
    <div class="as-panes" data-panes={roles.length}>
      {roles.map((role) => (
        <Pane key={role} role={role} alone={roles.length === 1} />
      ))}
      {compared && <Numbers />}
      {roles.length > 1 && scope.manifest.preview && <PictureSwitch />}
    </div>
  );
}

const BLINK_MS = 700;

/** A and B in turn, in one place; where motion is not wanted only while `b` is held. */
function useBlink({ painter }: View, on: boolean): void {
  useEffect(() => {
    if (!on || matchMedia("(prefers-reduced-motion: reduce)").matches) return undefined;
    const timer = setInterval(() => {
      painter.blink = !painter.blink;
      painter.schedule();
    }, BLINK_MS);
    return () => {
      clearInterval(timer);
      painter.blink = false;
    };
  }, [painter, on]);
}

/** What is said of A and B; the painter writes it. */
function Numbers() {
  const { painter } = useView();
  return (
    <dl class="as-numbers" ref={(element) => void (painter.parts.comparison = element)}>
      {["correlation", "Jensen-Shannon", "centroid moved", "A − B"].map((name) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd />
        </div>
      ))}
    </dl>
  );
}

const NAMES: Record<Role, string> = {
  a: "picture",
  b: "picture of B",
  difference: "difference of A and B",
  swipe: "picture of A and B",
  row: "picture: where the pixel attends to",
  column: "picture: what attends to the pixel",
};

function Pane({ role, alone }: { role: Role; alone: boolean }) {
  const view = useView();
  const { painter, scope } = view;
  const root = useRef<HTMLElement>(null);
  const [swipe, set_swipe] = useState(50);
  const pointer = useMemo(() => picture_pointer(view), [view]);
  useLayoutEffect(() => {
    const element = root.current as HTMLElement;
    const find = <T extends Element>(selector: string) => element.querySelector<T>(selector) as T;
    const pane = {
      role,
      root: element,
      base: find<HTMLCanvasElement>(".as-base"),
      map: new MapCanvas(find<HTMLCanvasElement>(".as-map")),
      second: new MapCanvas(find<HTMLCanvasElement>(".as-second")),
      contour: find<SVGPathElement>(".as-contour path"),
      cross: find<HTMLElement>(".as-cross"),
      cell: find<HTMLElement>(".as-cell"),
      pin: find<HTMLElement>(".as-pin"),
      region: find<HTMLElement>(".as-region"),
      title: find<HTMLElement>(".as-picture-title"),
      badge: find<HTMLElement>(".as-badge"),
      value: find<HTMLElement>(".as-pane-value"),
    };
    painter.panes.add(pane);
    painter.schedule();
    return () => void painter.panes.delete(pane);
  }, [painter, role]);
  return (
    <figure class={`as-picture-pane as-role-${role}`} ref={root} style={{ "--as-swipe": `${swipe}%` }}>
      <figcaption class="as-picture-head">
        <span class="as-picture-title" />
        <span class="as-pane-value" />
        {alone && scope.manifest.preview && <PictureSwitch />}
      </figcaption>
      <div
        class="as-picture"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrows move the cell in it
        tabIndex={0}
        role="application"
        aria-label={`${NAMES[role]}: arrows move the cell, Enter pins it`}
        onKeyDown={(event) => on_picture_key(view, event)}
        {...pointer}
      >
        <canvas class="as-base" width="1" height="1" role="img" aria-label="the picture" />
        <canvas class="as-map" width="1" height="1" role="img" aria-label="attention map over the picture" />
        <canvas class="as-second" width="1" height="1" />
        <svg class="as-contour" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
          <path />
        </svg>
        <span class="as-region" />
        <span class="as-cell" />
        <span class="as-pin" />
        <span class="as-cross" />
        <Trail />
        {role === "swipe" && <Divider set={set_swipe} />}
        <span class="as-badge" />
      </div>
      {role === "swipe" && (
        <input
          type="range"
          class="as-swipe"
          min={0}
          max={100}
          value={swipe}
          style={{ "--as-at": swipe / 100 }}
          aria-label="how much of A is shown, B beside it"
          aria-valuetext={`${swipe} % A`}
          onInput={(event) => set_swipe(Number(event.currentTarget.value))}
        />
      )}
    </figure>
  );
}

/** The line between A and B, to be dragged. */
function Divider({ set }: { set: (percent: number) => void }) {
  const drag = (event: PointerEvent) => {
    const line = event.currentTarget as HTMLElement;
    if (!line.hasPointerCapture(event.pointerId)) return;
    event.stopPropagation();
    set(Math.round(100 * uv_in(line.parentElement as HTMLElement, event)[0]));
  };
  return (
    <span
      class="as-divider"
      aria-hidden="true"
      onPointerDown={(event) => {
        event.stopPropagation();
        event.preventDefault();
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      }}
      onPointerMove={drag}
      onClick={(event) => event.stopPropagation()}
    >
      <i>A</i>
      <i>B</i>
    </span>
  );
}

/** The last pixels whose attention was looked at; one goes back to them by a click. */
function Trail() {
  const view = useView();
  if (view.scope.at.value.kind !== "self") return null;
  return (
    <>
      {view.trail.value.map(([u, v], i) => (
        <button
          key={`${u} ${v}`}
          type="button"
          class="as-trail"
          tabIndex={-1}
          aria-label={`query ${i + 1} back`}
          style={{ left: `${100 * u}%`, top: `${100 * v}%`, opacity: 0.9 - 0.15 * i }}
          onClick={(event) => {
            event.stopPropagation();
            pin_pixel(view, [u, v]);
          }}
        />
      ))}
    </>
  );
}

function PictureSwitch() {
  const { scope } = useView();
  const { show_preview } = scope.state.is;
  return (
    <div class="as-segments" role="group" aria-label="picture under the map">
      <button type="button" aria-pressed={!show_preview.value} onClick={() => scope.state.set({ show_preview: false })}>
        final
      </button>
      <button type="button" aria-pressed={show_preview.value} onClick={() => scope.state.set({ show_preview: true })}>
        this step
      </button>
    </div>
  );
}

/** The pointer by keyboard: one cell of the grid on screen at a time. */
function on_picture_key(view: View, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { painter } = view;
  const { uv } = painter.frame();
  const field = painter.shown?.field;
  const move = ARROWS[event.key];
  if (event.key === "Enter" && uv) pin_pixel(view, uv);
  else if (move && field) {
    const [y, x] = cell_at(field, ...(uv ?? ([0.5, 0.5] as const)));
    const place = (at: number, size: number) => (Math.min(size - 1, Math.max(0, at)) + 0.5) / size;
    painter.hover.uv = [place(x + move[0], field.width), place(y + move[1], field.height)];
    painter.schedule();
  } else return;
  event.preventDefault();
  event.stopPropagation();
}
