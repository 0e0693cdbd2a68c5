/** What a map says in one number, and heads in the order of such numbers. */

import type { Sort } from "../wire/protocol.ts";
import { correlation } from "./compare.ts";

let scratch: Float32Array = new Float32Array(0);

/** The value down to which the greatest cells hold half of the mass, and which share of the cells they are. */
export function half_mass(map: Float32Array): { level: number; share: number } {
  if (scratch.length < map.length) scratch = new Float32Array(map.length);
  let n = 0;
  let mass = 0;
  for (const value of map) {
    if (Number.isNaN(value)) continue;
    scratch[n++] = value;
    mass += value;
  }
  if (!(mass > 0)) return { level: Number.NaN, share: Number.NaN };
  const sorted = scratch.subarray(0, n).sort();
  let held = 0;
  let i = n;
  while (i > 0 && held < mass / 2) held += sorted[--i] as number;
  return { level: sorted[i] as number, share: (n - i) / n };
}

/** Entropy in bits of the map as a distribution over its cells. */
export function entropy_bits(map: Float32Array): number {
  const mass = total(map);
  if (!(mass > 0)) return Number.NaN;
  let bits = 0;
  for (const value of map) if (value > 0) bits -= (value / mass) * Math.log2(value / mass);
  return Math.max(0, bits);
}

/** Sum of what is a number. */
export function total(map: Float32Array): number {
  let sum = 0;
  for (const value of map) if (!Number.isNaN(value)) sum += value;
  return sum;
}

/** The greatest value and its cell, the first where several are equal; null where there is no number. */
export function peak(map: Float32Array, width: number): { value: number; y: number; x: number } | null {
  let cell = -1;
  for (let i = 0; i < map.length; i++)
    if (!Number.isNaN(map[i]) && (cell < 0 || (map[i] as number) > (map[cell] as number))) cell = i;
  if (cell < 0) return null;
  return { value: map[cell] as number, y: Math.floor(cell / width), x: cell % width };
}

export interface HeadStats {
  entropy: number;
  mass: number;
  /** Pearson's correlation with the pinned map; NaN where none is pinned. */
  similarity: number;
}

export const head_stats = (maps: readonly Float32Array[], pinned: Float32Array | null): HeadStats[] =>
  maps.map((map) => ({
    entropy: entropy_bits(map),
    mass: total(map),
    similarity: pinned ? correlation(map, pinned) : Number.NaN,
  }));

/** Heads from the most focused, the heaviest or the most similar on; what has no number comes last, ties stay in order. */
export function order_heads(stats: readonly HeadStats[], by: Sort): number[] {
  const order = stats.map((_, head) => head);
  if (by === "index") return order;
  const sign = by === "entropy" ? 1 : -1;
  const place = (head: number) => {
    const value = sign * (stats[head] as HeadStats)[by];
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  };
  return order.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}
