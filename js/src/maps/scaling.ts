/** From values to positions on the colour bar: limits, percentiles, transforms. */

import type { Transform } from "../wire/protocol.ts";
import { room } from "./buffers.ts";
import { type Field, token_map } from "./fields.ts";

export const LOG_FLOOR = 1e-4;

/** The values at the ends of the colour bar, before the transform. */
export interface Limits {
  lo: number;
  hi: number;
}

/** Position on the colour bar in [0, 1]. With "rank" the values are ranks, which are positions already. */
export function position(value: number, { lo, hi }: Limits, transform: Transform): number {
  let at = value;
  if (transform === "log") {
    const floor = Math.max(lo, LOG_FLOOR);
    at = hi <= floor ? 0 : Math.log(Math.max(value, floor) / floor) / Math.log(hi / floor);
  } else if (transform === "sqrt") {
    const from = root(lo);
    const span = root(hi) - from;
    at = span > 0 ? (root(value) - from) / span : 0;
  } else if (transform !== "rank") at = hi <= lo ? 0 : (value - lo) / (hi - lo);
  return Math.min(1, Math.max(0, at));
}

const root = (value: number): number => Math.sqrt(Math.max(0, value));

/** The value at a position of the colour bar: the inverse of `position`. */
export function value_at(at: number, { lo, hi }: Limits, transform: Transform): number {
  if (transform === "rank") return at;
  if (transform === "log") {
    const floor = Math.max(lo, LOG_FLOOR);
    return hi <= floor ? floor : floor * (hi / floor) ** at;
  }
  if (transform === "sqrt") return (root(lo) + at * (root(hi) - root(lo))) ** 2;
  return lo + at * (hi - lo);
}

let scratch: Float32Array = new Float32Array(0);

/** All numbers of some maps, in a buffer that the next call overwrites. */
function finite(maps: readonly Float32Array[]): Float32Array {
  const size = maps.reduce((sum, map) => sum + map.length, 0);
  if (scratch.length < size) scratch = new Float32Array(size);
  let n = 0;
  for (const map of maps) for (const value of map) if (Number.isFinite(value)) scratch[n++] = value;
  return scratch.subarray(0, n);
}

/**
 * Limits at two percentiles of all finite values. The lowest begins at nothing rather than at the least value:
 * attention is never negative, and a map that is nowhere zero should not look as if it were.
 */
export function percentiles(maps: readonly Float32Array[], [low, high]: readonly [number, number]): Limits {
  if (low === 0 && high === 100) {
    let hi = 0;
    for (const map of maps) for (const value of map) if (value > hi && value < Number.POSITIVE_INFINITY) hi = value;
    return { lo: 0, hi };
  }
  const list = finite(maps);
  if (list.length === 0) return { lo: 0, hi: 0 };
  return { lo: low === 0 ? 0 : percentile(list, low), hi: percentile(list, high) };
}

/** Linear between neighbours, as numpy's default. Reorders `list`. */
function percentile(list: Float32Array, percent: number): number {
  const at = ((list.length - 1) * percent) / 100;
  const below = Math.floor(at);
  const value = select(list, below);
  if (at === below) return value;
  let next = Number.POSITIVE_INFINITY; // the least of what `select` left above
  for (let i = below + 1; i < list.length; i++) next = Math.min(next, list[i] as number);
  return value + (at - below) * (next - value);
}

/** The k-th least value, put at place k with nothing greater before it (quickselect: a hover has no time to sort). */
function select(list: Float32Array, k: number): number {
  let left = 0;
  let right = list.length - 1;
  while (left < right) {
    const pivot = list[(left + right) >> 1] as number;
    let i = left;
    let j = right;
    while (i <= j) {
      while ((list[i] as number) < pivot) i++;
      while ((list[j] as number) > pivot) j--;
      if (i > j) break;
      const swap = list[i] as number;
      list[i++] = list[j] as number;
      list[j--] = swap;
    }
    if (k <= j) right = j;
    else if (k >= i) left = i;
    else break;
  }
  return list[k] as number;
}

let keys = new Float64Array(0);
const CELLS = 2 ** 20; // a key holds 32 bits of value and 20 of cell: a number has 53
const cell_of = (key: number): number => key - CELLS * Math.floor(key / CELLS);

/** Every value's average rank among those of its map, over n - 1: from 0 to 1. NaN stays. */
export function ranks(map: Float32Array, out?: Float32Array): Float32Array {
  const ranked = room(map.length, out);
  if (keys.length < map.length) keys = new Float64Array(map.length);
  const codes = new Uint32Array(map.buffer, map.byteOffset, map.length);
  let n = 0;
  for (let i = 0; i < map.length; i++) {
    // The bits of floats, as whole numbers in the same order: typed arrays sort plain numbers five times as fast as
    // anything that is compared by a function.
    const code = codes[i] as number;
    if (Number.isNaN(map[i])) ranked[i] = Number.NaN;
    else keys[n++] = ((code >> 31 ? ~code : code | 0x80000000) >>> 0) * CELLS + i;
  }
  const sorted = keys.subarray(0, n).sort();
  for (let from = 0, to = 0; from < n; from = to) {
    const value = map[cell_of(sorted[from] as number)];
    while (to < n && map[cell_of(sorted[to] as number)] === value) to++;
    const rank = n > 1 ? (from + to - 1) / (2 * (n - 1)) : 0; // equal values share the middle of their places
    for (let i = from; i < to; i++) ranked[cell_of(sorted[i] as number)] = rank;
  }
  return ranked;
}

/** Every value over the sum of the columns that count, per pixel; NaN where they have nothing. */
export function renormalised(field: Field, columns: readonly number[], out?: Float32Array): Field {
  const area = field.height * field.width;
  const data = room(field.tokens * area, out);
  scratch = room(area, scratch);
  const sum = token_map(field, columns, scratch);
  for (let t = 0, i = 0; t < field.tokens; t++)
    for (let cell = 0; cell < area; cell++, i++)
      data[i] = (field.data[field.offset + i] as number) / (sum[cell] || Number.NaN);
  return { ...field, data, offset: 0 };
}
