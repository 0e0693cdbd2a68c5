/** A strip below a tile: one cell for each of its transformer blocks. Pointing at one shows that block in the tile. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { compare, open_layer } from "../actions.ts";
import { paint_depths } from "../paint/depths.ts";
import type { Frame } from "../paint/frame.ts";
import { useView } from "./context.ts";
import { uv_in } from "./pointer.ts";

export function Depths({ id, name, layers }: { id: string; name: string; layers: string[] }) {
  const view = useView();
  const { painter, scope } = view;
  const root = useRef<HTMLDivElement>(null);
  const now = useRef(0);
  useLayoutEffect(() => {
    const element = root.current as HTMLDivElement;
    const follow = (frame: Frame) => paint_depths(element, layers, frame);
    painter.followers.add(follow);
    return () => void painter.followers.delete(follow);
  }, [painter, layers]);

  /** One block in the place of the mean of all; null: the mean again. */
  const look = (which: number | null) => {
    const element = root.current as HTMLDivElement;
    const target = painter.tiles.get(id);
    [...element.children].forEach((cell, i) => void cell.classList.toggle("as-on", i === which));
    if (!target) return;
    const layer = which === null ? undefined : (layers[which] as string);
    target.layers = layer === undefined ? layers : [layer];
    target.name = layer ?? name;
    painter.hover.tile = layer === undefined ? null : target;
    if (which !== null && which !== now.current) {
      now.current = which;
      element.setAttribute("aria-valuenow", String(which));
      element.setAttribute("aria-valuetext", said(which));
    }
    painter.schedule();
  };
  const said = (which: number) => `block ${which} of ${layers.length}, ${layers[which]}`;
  const open = (to_compare = false) => {
    const layer = layers[now.current] as string;
    if (to_compare) compare(view, { layer });
    else open_layer(view, layer, scope.at.peek().kind);
  };
  const on_key = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) look(Math.min(layers.length - 1, Math.max(0, now.current + by)));
    else if (event.key === "Enter") open();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={root}
      class="as-depths"
      role="slider"
      tabIndex={0}
      aria-label={`blocks of ${name}: arrows go along them, Enter opens one`}
      aria-valuemin={0}
      aria-valuemax={layers.length - 1}
      aria-valuenow={0}
      aria-valuetext={said(0)}
      title={`the ${layers.length} transformer blocks: height is the attention that each gives to the words`}
      onPointerMove={(event) => {
        event.stopPropagation(); // the pane around takes what is no map for nothing
        const [u] = uv_in(event.currentTarget, event);
        look(Math.min(layers.length - 1, Math.floor(u * layers.length)));
      }}
      onPointerLeave={() => look(null)}
      onFocus={() => look(now.current)}
      onBlur={() => look(null)}
      onKeyDown={on_key}
      onClick={(event) => {
        event.stopPropagation();
        open(event.altKey);
      }}
    >
      {layers.map((layer) => (
        <span key={layer}>
          <i />
        </span>
      ))}
    </div>
  );
}
