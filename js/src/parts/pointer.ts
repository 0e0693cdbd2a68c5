/** Pointer over maps and words: writes the view's hover and asks for a paint; nothing else happens here. */

import { pin_pixel, set_region } from "../actions.ts";
import type { View } from "../view.tsx";
import type { Region, UV } from "../wire/protocol.ts";

const clamp = (value: number) => Math.min(1, Math.max(0, value));

/** Where in an element the pointer is, in [0, 1] along x and y. */
export function uv_in(element: Element, event: { clientX: number; clientY: number }): [number, number] {
  const box = element.getBoundingClientRect();
  const at = (value: number, size: number) => (size > 0 ? clamp(value / size) : 0);
  return [at(event.clientX - box.left, box.width), at(event.clientY - box.top, box.height)];
}

/** One listener for all tiles of a pane. */
export function tile_hover(view: View) {
  const { painter } = view;
  const { hover } = painter;
  return {
    onPointerMove: (event: PointerEvent) => {
      const thumb = (event.target as Element).closest?.(".as-thumb[data-tile]");
      const target = thumb && painter.tiles.get(thumb.getAttribute("data-tile") as string);
      if (!thumb || !target) return leave();
      hover.tile = target;
      hover.uv = uv_in(thumb, event);
      painter.schedule();
    },
    onPointerLeave: () => leave(),
  };
  function leave(): void {
    if (!hover.tile && !hover.uv) return;
    hover.tile = null;
    hover.uv = null;
    painter.schedule();
  }
}

/** How far one has to move, in CSS pixels, for a click to be a drag. */
const DRAG_PX = 5;
/** How long a finger rests to look and not to pin. */
const LONG_PRESS_MS = 450;

/** Over a picture: move to look, click to pin, drag a box; a finger that rests looks. Made once for each pane: it holds what is under way. */
export function picture_pointer(view: View) {
  const { painter } = view;
  const { hover } = painter;
  let from: { uv: UV; x: number; y: number } | null = null;
  let resting: ReturnType<typeof setTimeout> | undefined;
  /** What was done with the pointer was more than a click. */
  let done = false;
  const leave = () => {
    clearTimeout(resting);
    hover.uv = null;
    painter.schedule();
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      done = false;
      const uv = uv_in(event.currentTarget as Element, event);
      if (event.pointerType !== "touch") {
        from = { uv, x: event.clientX, y: event.clientY };
        return;
      }
      clearTimeout(resting);
      // A finger that moves scrolls the page, which ends this.
      resting = setTimeout(() => {
        done = true;
        hover.uv = uv;
        painter.schedule();
      }, LONG_PRESS_MS);
    },
    onContextMenu: (event: MouseEvent) => done && event.preventDefault(),
    onPointerMove: (event: PointerEvent) => {
      if (event.pointerType === "touch" && !done) return;
      const element = event.currentTarget as Element;
      const uv = uv_in(element, event);
      if (from && Math.hypot(event.clientX - from.x, event.clientY - from.y) > DRAG_PX) {
        if (!hover.region) element.setPointerCapture(event.pointerId);
        hover.region = box(from.uv, uv);
      }
      hover.uv = hover.region ? null : uv;
      painter.schedule();
    },
    onPointerUp: () => {
      clearTimeout(resting);
      if (hover.region) {
        set_region(view, hover.region);
        hover.region = null;
        done = true;
      }
      from = null;
    },
    onPointerCancel: () => {
      from = hover.region = null;
      leave();
    },
    onClick: (event: MouseEvent) => {
      if (done) done = false;
      else pin_pixel(view, uv_in(event.currentTarget as Element, event));
    },
    onPointerLeave: leave,
    onBlur: leave, // the arrows move the point as well
  };
}

const box = ([u0, v0]: UV, [u1, v1]: UV): Region => [
  Math.min(u0, u1),
  Math.min(v0, v1),
  Math.max(u0, u1),
  Math.max(v0, v1),
];

export function word_hover(view: View, columns: readonly number[]) {
  const { painter } = view;
  return {
    onPointerEnter: () => {
      painter.hover.columns = columns;
      painter.schedule();
    },
    onPointerLeave: () => {
      if (painter.hover.columns === columns) painter.hover.columns = null;
      painter.schedule();
    },
  };
}
