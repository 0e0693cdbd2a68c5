/** The picture with the map over it, at every level; the place to hover. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { pin_pixel } from "../actions.ts";
import { MapCanvas } from "../targets.ts";
import { useView } from "./context.ts";
import { picture_hover, uv_in } from "./hovering.ts";

export function Picture() {
  const view = useView();
  const { painter, scope } = view;
  const { width, height } = scope.manifest;
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
    };
    painter.schedule();
    return () => {
      painter.detail = null;
    };
  }, [painter]);
  return (
    <figure class="as-picture-pane" ref={root} style={{ "--as-ratio": width / height }}>
      <figcaption class="as-picture-title" />
      <div
        class="as-picture"
        {...picture_hover(view)}
        onClick={(event) => pin_pixel(view, uv_in(event.currentTarget, event))}
      >
        <canvas class="as-base" width="1" height="1" aria-hidden="true" />
        <canvas class="as-map" width="1" height="1" role="img" aria-label="attention map over the picture" />
        <span class="as-cell" />
        <span class="as-pin" />
        <span class="as-cross" />
        <span class="as-badge">coarse</span>
      </div>
    </figure>
  );
}
