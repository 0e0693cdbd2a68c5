/** Differences: tables with a neutral middle, and a map that is negative on one side and positive on the other. */

import { between, type DivergingMap, not_a_number } from "./luts.ts";

export const DIVERGING: readonly DivergingMap[] = ["RdBu_r", "vik"];

/** RdBu_r: Brewer's eleven colours, between which matplotlib too draws lines. vik: Crameri (2018), MIT, 35 of its 256. */
const TABLES: Record<DivergingMap, string> = {
  RdBu_r: "BTBhIWasQ5PDksXe0eXw9/f3/dvH9KWC1mBNshgrZwAf",
  vik: "ABJhAh5oAipwAjV4A0F/BEyGCFmPFGaYJXWhOoSsUZS2aKPAgLLKmMHUsM/eyNzm3ubp7Obh7tvQ6s285L6o3q+U16CB0pNuzIVdxnhLwGs6uV0pr0wYoDoKjysGgB4GcxQGZgoHWQAI",
};

export const diverging = (name: DivergingMap): Uint32Array => between(TABLES[name]);

/** The largest distance from nothing: differences run from minus to plus this. */
export function magnitude(map: Float32Array): number {
  let most = 0;
  for (const value of map) if (Math.abs(value) > most) most = Math.abs(value);
  return most;
}

export function colour_difference(map: Float32Array, limit: number, table: Uint32Array, pixels: Uint32Array): void {
  for (let i = 0; i < map.length; i++) {
    const value = map[i] as number;
    const at = limit > 0 ? Math.min(1, Math.max(-1, value / limit)) : 0;
    pixels[i] = Number.isNaN(value) ? not_a_number(i) : (table[Math.round(127.5 + 127.5 * at)] as number);
  }
}
