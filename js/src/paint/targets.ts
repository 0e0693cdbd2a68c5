/** The elements that the painter draws on: parts hand them over as they appear and take them back as they go. */

import type { Extent } from "../maps/colouring.ts";
import type { Field } from "../maps/fields.ts";
import type { Head } from "../wire/protocol.ts";

/** A canvas at native map resolution and what was last drawn on it. */
export class MapCanvas {
  field: Field | null = null;
  map: Float32Array | undefined;
  extent: Extent | null = null;
  winners: Uint8Array | undefined;
  /** The columns of which `map` is the sum, as text; null where nothing was computed. */
  columns: string | null = null;
  drawn = "";
  #image: ImageData | null = null;
  #pixels = new Uint32Array(0);

  constructor(readonly canvas: HTMLCanvasElement) {}

  paint(height: number, width: number, fill: (pixels: Uint32Array) => void): void {
    const context = this.canvas.getContext("2d");
    if (!context) throw new Error("this browser gives no 2D canvas");
    if (!this.#image || this.#image.width !== width || this.#image.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.#image = context.createImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    fill(this.#pixels);
    context.putImageData(this.#image, 0, 0);
  }
}

export interface TileTarget {
  /** Layers averaged in this tile; head null: the atlas, which is the mean over heads. */
  layers: string[];
  head: Head | null;
  name: string;
  root: HTMLElement;
  map: MapCanvas;
  cross: HTMLElement;
  value: HTMLElement;
  spark: SVGPathElement | null;
  now: SVGPathElement | null;
}

export interface DetailTarget {
  root: HTMLElement;
  base: HTMLCanvasElement;
  map: MapCanvas;
  cross: HTMLElement;
  cell: HTMLElement;
  pin: HTMLElement;
  title: HTMLElement;
  badge: HTMLElement;
}

export interface BarTarget {
  first: number;
  columns: number[];
  fill: HTMLElement;
  value: HTMLElement;
  row: HTMLElement;
}

/** What the pointer is over, in this view only; never sent anywhere. */
export interface Hover {
  /** A tile: the layers (overview) or the head (layer, head) in it. */
  tile: TileTarget | null;
  columns: number[] | null;
  uv: readonly [number, number] | null;
}

/** Writes only what changed, into the text node that is there: both a new node and its own text again cost a layout. */
export function write(element: HTMLElement | null | undefined, text: string): void {
  const node = element?.firstChild as Text | null | undefined;
  if (node) {
    if (node.data !== text) node.data = text;
  } else if (element && text) element.textContent = text;
}

export function flag(element: HTMLElement, name: string, on: boolean): void {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}
