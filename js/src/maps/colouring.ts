/** From values to pixels: limits, transform, colour table. */

import type { Transform } from "../wire/protocol.ts";
import { NO_TOKEN } from "./fields.ts";
import { FLAT_RGB, not_a_number, OTHER_RGB, pack } from "./luts.ts";
import { type Limits, position } from "./scaling.ts";

export type Rgb = readonly [number, number, number];

export interface Extent {
  hi: number;
  nan: number;
  /** The value of every cell, where all are equal; a map of one cell has no such thing. */
  constant: number | null;
}

export function extent(map: Float32Array): Extent {
  let hi = Number.NEGATIVE_INFINITY;
  let lo = Number.POSITIVE_INFINITY;
  let nan = 0;
  for (const value of map) {
    if (Number.isNaN(value)) nan += 1;
    else {
      if (value > hi) hi = value;
      if (value < lo) lo = value;
    }
  }
  return { hi: Math.max(hi, 0), nan, constant: nan === 0 && map.length > 1 && lo === hi ? hi : null };
}

const FLAT = pack(...FLAT_RGB);
const OTHER = pack(...OTHER_RGB);

/** Every value as one pixel, by its position between the limits. */
function paint(
  map: Float32Array,
  limits: Limits,
  transform: Transform,
  pixels: Uint32Array,
  pixel: (place: number) => number,
): void {
  for (let i = 0; i < map.length; i++) {
    const value = map[i] as number;
    pixels[i] = Number.isNaN(value) ? not_a_number(i) : pixel(position(value, limits, transform));
  }
}

export function colour(
  map: Float32Array,
  table: Uint32Array,
  limits: Limits,
  transform: Transform,
  pixels: Uint32Array,
): void {
  paint(map, limits, transform, pixels, (place) => table[Math.round(255 * place)] as number);
}

/** Darkness over what lies below, where there is little attention. */
export function darken(map: Float32Array, limits: Limits, transform: Transform, pixels: Uint32Array): void {
  paint(map, limits, transform, pixels, (place) => pack(0, 0, 0, Math.round(255 * (1 - place))));
}

export const colour_flat = (pixels: Uint32Array): void => void pixels.fill(FLAT);

/** Winners of `strongest` through one colour per column; undefined is "other". */
export function colour_winners(winners: Uint8Array, palette: readonly (Rgb | undefined)[], pixels: Uint32Array): void {
  const words = palette.map((rgb) => (rgb ? pack(...rgb) : OTHER));
  for (let i = 0; i < winners.length; i++) {
    const winner = winners[i] as number;
    pixels[i] = winner === NO_TOKEN ? not_a_number(i) : (words[winner] as number);
  }
}
