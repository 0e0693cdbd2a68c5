/** The elements that the painter draws on: parts hand them over as they appear and take them back as they go. */

import type { Head } from "../wire/protocol.ts";
import { MapValues } from "./values.ts";

/** A canvas at native map resolution, the values behind it, and what was last drawn on it. */
export class MapCanvas {
  readonly values = new MapValues();
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

/** Which map: of one layer's head, or the mean over some layers (head null) as the small maps have them. */
export interface Subject {
  layers: readonly string[];
  head: Head | null;
}

export interface TileTarget extends Subject {
  /** In a view of both kinds (a block) a tile has its own. */
  kind?: "cross" | "self";
  name: string;
  root: HTMLElement;
  map: MapCanvas;
  /** Whether its values are multiples of an even share; the painter finds out. */
  shares?: boolean;
  cross: HTMLElement;
  value: HTMLElement;
  spark: SVGPathElement | null;
  now: SVGPathElement | null;
}

/** What a pane shows: A, B, A less B, B beside A under a line that is moved, or one direction of self-attention. */
export type Role = "a" | "b" | "difference" | "swipe" | "row" | "column";

export interface PaneTarget {
  role: Role;
  root: HTMLElement;
  base: HTMLCanvasElement;
  map: MapCanvas;
  /** B, where a pane shows both. */
  second: MapCanvas;
  contour: SVGPathElement;
  cross: HTMLElement;
  cell: HTMLElement;
  pin: HTMLElement;
  region: HTMLElement;
  title: HTMLElement;
  badge: HTMLElement;
  value: HTMLElement;
}

export interface BarTarget {
  first: number;
  columns: readonly number[];
  fill: HTMLElement;
  value: HTMLElement;
  row: HTMLElement;
  /** Where B is, and the word at every step. */
  tick?: HTMLElement | null;
  strip?: HTMLCanvasElement | null;
}

/** What the pointer is over, in this view only; never sent anywhere. */
export interface Hover {
  /** A tile: the layers (overview) or the head (layer, head) in it. */
  tile: TileTarget | null;
  columns: readonly number[] | null;
  uv: readonly [number, number] | null;
  /** A box that is being dragged. */
  region: readonly [number, number, number, number] | null;
}

/** Writes only what changed, into the text node that is there: both a new node and its own text again cost a layout. */
export function write(element: HTMLElement | null | undefined, text: string): void {
  const node = element?.firstChild as Text | null | undefined;
  if (node) {
    if (node.data !== text) node.data = text;
  } else if (element && text) element.textContent = text;
}

export function flag(element: Element, name: string, on: boolean): void {
  if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
}

/** Shown at a place of what it lies on, or not at all: by a transform, which costs no layout. */
export function place(element: HTMLElement, uv: readonly [number, number] | null): void {
  element.style.visibility = uv ? "visible" : "hidden";
  if (uv) element.style.transform = `translate(${100 * uv[0]}%,${100 * uv[1]}%)`;
}
