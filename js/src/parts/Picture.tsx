/** The picture with the map over it, at every level; the place to hover. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { pin_pixel } from "../actions.ts";
import { ARROWS } from "../keyboard.ts";
import { cell_at } from "../maps/fields.ts";
import { MapCanvas } from "../paint/targets.ts";
import type { View } from "../view.tsx";
import { useView } from "./context.ts";
import { picture_hover, uv_in } from "./hovering.ts";

export function Picture() {
  const view = useView();
  const { painter, scope } = view;
  const { preview } = scope.manifest;
  const root = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = root.current as HTMLDivElement;
    const find = <T extends Element>(selector: string) => element.querySelector<T>(selector) as T;
    painter.detail = {
      root: element,
      base: find<HTMLCanvasElement>(".as-base"),
      map: new MapCanvas(find<HTMLCanvasElement>(".as-map")),
      cross: find<HTMLElement>(".as-cross"),
      cell: find<HTMLElement>(".as-cell"),
      pin: find<HTMLElement>(".as-pin"),
      title: find<HTMLElement>(".as-picture-title"),
      badge: find<HTMLElement>(".as-badge"),
    };
    painter.schedule();
    return () => {
      painter.detail = null;
    };
  }, [painter]);
  return (
    <figure class="as-picture-pane" ref={root}>
      <figcaption class="as-picture-head">
        <span class="as-picture-title" />
        {preview && <PictureSwitch />}
      </figcaption>
      <div
        class="as-picture"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrows move the cell in it
        tabIndex={0}
        role="application"
        aria-label="picture: arrows move the cell, Enter pins it"
        onKeyDown={(event) => on_picture_key(view, event)}
        {...picture_hover(view)}
        onClick={(event) => pin_pixel(view, uv_in(event.currentTarget, event))}
      >
        <canvas class="as-base" width="1" height="1" />
        <canvas class="as-map" width="1" height="1" role="img" aria-label="attention map over the picture" />
        <span class="as-cell" />
        <span class="as-pin" />
        <span class="as-cross" />
        <span class="as-badge">coarse</span>
      </div>
    </figure>
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
