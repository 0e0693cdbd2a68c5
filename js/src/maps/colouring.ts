/** From values to pixels: limits, transform, colour table. */

import type { Transform } from "../wire/protocol.ts";
import { NO_TOKEN } from "./fields.ts";
import { FLAT_RGB, NAN_RGB, OTHER_RGB, pack } from "./luts.ts";
import { LOG_FLOOR, position as scaled, value_at as unscaled } from "./scaling.ts";

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

/** Where the colour bar begins: attention is never negative, so all but the logarithm start at nothing. */
export const floor_of = (transform: Transform): number => (transform === "log" ? LOG_FLOOR : 0);

/** Position on the colour bar in [0, 1]. */
export const position = (value: number, hi: number, transform: Transform): number =>
  scaled(value, { lo: 0, hi }, transform);

/** The value at a position of the colour bar: the inverse of `position`. */
export const value_at = (at: number, hi: number, transform: Transform): number =>
  unscaled(at, { lo: 0, hi }, transform);

const NAN = pack(...NAN_RGB);
const FLAT = pack(...FLAT_RGB);
const OTHER = pack(...OTHER_RGB);

export function colour(
  map: Float32Array,
  table: Uint32Array,
  hi: number,
  transform: Transform,
  pixels: Uint32Array,
): void {
  for (let i = 0; i < map.length; i++) {
    const value = map[i] as number;
    pixels[i] = Number.isNaN(value) ? NAN : (table[Math.round(255 * position(value, hi, transform))] as number);
  }
}

export const colour_flat = (pixels: Uint32Array): void => void pixels.fill(FLAT);

/** Winners of `strongest` through one colour per column; undefined is "other". */
export function colour_winners(
  winners: Uint8Array,
  palette: readonly (readonly [number, number, number] | undefined)[],
  pixels: Uint32Array,
): void {
  const words = palette.map((rgb) => (rgb ? pack(...rgb) : OTHER));
  for (let i = 0; i < winners.length; i++) {
    const winner = winners[i] as number;
    pixels[i] = winner === NO_TOKEN ? NAN : (words[winner] as number);
  }
}
