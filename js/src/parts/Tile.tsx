/** The one tile: a map, its crosshair, a line over the steps, a label and a value. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { MapCanvas } from "../paint/targets.ts";
import type { Head, Kind } from "../wire/protocol.ts";
import { useView } from "./context.ts";

export interface TileProps {
  id: string;
  layers: string[];
  /** null: the mean over heads from the atlas. */
  head: Head | null;
  label: string;
  /** What is written below; the label, where nothing shorter is said. */
  caption?: string;
  title: string;
  height: number;
  width: number;
  spark: boolean;
  current: boolean;
  focusable: boolean;
  data: Record<string, string>;
  kind?: Kind;
  /** Where it stands alone, and is no cell of a grid. */
  alone?: boolean;
  /** The second click of a double click opens nothing: what lies there by then is another tile. */
  open: (event: MouseEvent) => void;
  children?: ComponentChildren;
}

export function Tile(props: TileProps) {
  const { painter } = useView();
  const root = useRef<HTMLDivElement>(null);
  const { id, layers, head, label, kind } = props;
  const key = layers.join();
  useLayoutEffect(() => {
    const element = root.current as HTMLDivElement;
    const find = <T extends Element>(selector: string) => element.querySelector<T>(selector);
    const target = {
      layers,
      head,
      ...(kind && { kind }),
      name: label,
      root: element,
      map: new MapCanvas(find<HTMLCanvasElement>("canvas") as HTMLCanvasElement),
      cross: find<HTMLElement>(".as-cross") as HTMLElement,
      value: find<HTMLElement>(".as-tile-value") as HTMLElement,
      spark: find<SVGPathElement>(".as-line"),
      now: find<SVGPathElement>(".as-dot"),
    };
    painter.tiles.set(id, target);
    painter.schedule();
    return () => {
      if (painter.tiles.get(id) === target) painter.tiles.delete(id);
    };
  }, [painter, id, key, head, label, kind]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it has one role or the other
    // biome-ignore lint/a11y/useKeyWithClickEvents: Enter is the root's, with all other keys
    <div
      ref={root}
      class={`as-tile${props.current ? " as-current" : ""}`}
      role={props.alone ? "button" : "gridcell"}
      {...(!props.alone && { "aria-selected": props.current })}
      tabIndex={props.focusable ? 0 : -1}
      title={props.title}
      onClick={(event) => event.detail < 2 && props.open(event)}
      {...props.data}
    >
      <div class="as-thumb" data-tile={id} style={{ aspectRatio: `${props.width} / ${props.height}` }}>
        <canvas role="img" aria-label="map" width={props.width} height={props.height} />
        <span class="as-cross" />
      </div>
      {props.spark && (
        <svg class="as-spark" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
          <path class="as-line" />
          <path class="as-dot" />
        </svg>
      )}
      {props.children}
      <div class="as-caption">
        <Label text={props.caption ?? label} />
        <span class="as-tile-value" />
      </div>
    </div>
  );
}

export function MissingTile(props: { label: string; reason: string; module: string; height: number; width: number }) {
  const title = `${props.label} was not captured: ${props.reason} (${props.module})`;
  return (
    <div
      class="as-tile as-missing"
      role="gridcell"
      tabIndex={-1}
      aria-label={title}
      title={title}
      data-missing={props.label}
    >
      <div class="as-thumb" style={{ aspectRatio: `${props.width} / ${props.height}` }}>
        <span class="as-reason">{props.reason}</span>
      </div>
      <div class="as-caption">
        <Label text={props.label} />
      </div>
    </div>
  );
}

/** `down.` is said by the column as well, `head` by the grid: a small tile leaves it out. */
function Label({ text }: { text: string }) {
  const place = /^(down\.|mid\.|up\.|head )/.exec(text)?.[0] ?? "";
  return (
    <span class="as-label">
      {place && <span class="as-place">{place}</span>}
      {text.slice(place.length)}
    </span>
  );
}
