/** Pointer over maps and words: writes the view's hover and asks for a paint; nothing else happens here. */

import type { View } from "../view.tsx";

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

export function picture_hover(view: View) {
  const { painter } = view;
  const leave = () => {
    painter.hover.uv = null;
    painter.schedule();
  };
  return {
    onPointerMove: (event: PointerEvent) => {
      painter.hover.uv = uv_in(event.currentTarget as Element, event);
      painter.schedule();
    },
    onPointerLeave: leave,
    onBlur: leave, // the arrows move the point as well
  };
}

export function word_hover(view: View, columns: number[]) {
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
