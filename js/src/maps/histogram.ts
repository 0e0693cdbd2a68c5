/** How the values of some maps lie along the colour bar. */

import type { Transform } from "../wire/protocol.ts";
import { type Limits, position } from "./scaling.ts";

/** Counts of finite values per bin of the transformed axis; what lies beyond the limits is in the bins at the ends. */
export function histogram(
  maps: readonly Float32Array[],
  limits: Limits,
  transform: Transform,
  bins: number,
  out?: Uint32Array,
): Uint32Array {
  const counts = out?.length === bins ? out.fill(0) : new Uint32Array(bins);
  for (const map of maps)
    for (const value of map) {
      if (!Number.isFinite(value)) continue;
      const bin = Math.min(bins - 1, Math.floor(bins * position(value, limits, transform)));
      counts[bin] = (counts[bin] as number) + 1;
    }
  return counts;
}
