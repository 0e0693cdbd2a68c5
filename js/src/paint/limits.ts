/** Where colours begin and end. */

import { type Limits, LOG_FLOOR, percentiles } from "../maps/scaling.ts";
import type { At } from "../scope/selection.ts";
import { type Section, values } from "../wire/decode.ts";
import type { Head } from "../wire/protocol.ts";
import { type Frame, words_at } from "./frame.ts";
import type { Subject } from "./targets.ts";
import type { MapValues } from "./values.ts";

const whole = ([lo, hi]: readonly [number, number]): boolean => lo === 0 && hi === 100;

/** The logarithm has a floor; everything else begins at nothing, unless it is clipped. */
const from_floor = (limits: Limits, { transform }: Frame): Limits =>
  transform === "log" ? { lo: Math.max(limits.lo, LOG_FLOOR), hi: limits.hi } : limits;

/** Limits that all maps of a view share; null where each has its own. */
export function shared_limits(
  frame: Frame,
  at: At,
  shown: readonly (Subject & { values: MapValues })[],
): Limits | null {
  if (frame.transform === "rank") return { lo: 0, hi: 1 };
  if (frame.scale === "fixed" && frame.limits) return { lo: frame.limits[0], hi: frame.limits[1] };
  if (frame.scale === "own" || frame.scale === "fixed") return null;
  if (frame.scale === "run") {
    const ranges = shown.map((each) => run_limits(frame, at, each));
    if (ranges.length && ranges.every((range) => range !== null)) {
      const hi = Math.max(...ranges.map((range) => range.hi));
      return from_floor({ lo: Math.min(...ranges.map((range) => range.lo)), hi }, frame);
    }
  }
  const maps = shown.flatMap(({ values }) => values.maps);
  return maps.length ? from_floor(percentiles(maps, frame.clip), frame) : null;
}

/** Of one map of its own; `which` is the word where each has a colour. */
export function own_limits(frame: Frame, shown: MapValues, which = 0): Limits {
  if (frame.transform === "rank") return { lo: 0, hi: 1 };
  const map = shown.maps[which];
  if (!map) return { lo: 0, hi: 0 };
  // The extent is known already.
  if (whole(frame.clip) && which === 0) return from_floor({ lo: 0, hi: shown.extent?.hi ?? 0 }, frame);
  return from_floor(percentiles([map], frame.clip), frame);
}

/** Over all steps; where several tokens, heads or layers are joined, a bound on it. Null where it is not known. */
function run_limits(frame: Frame, at: At, { layers, head }: Subject): Limits | null {
  if (at.kind !== "cross" || frame.renormalise || layers.length === 0) return null;
  const words = words_at(frame, at);
  const groups = frame.hues ? words : [words.flat()];
  const [low, high] = whole(frame.clip) ? [null, "max"] : ["p1", "p99"];
  let [lo, hi] = [0, 0];
  for (const layer of layers) {
    const packet = frame.scope.packet("range", at, { layer });
    const section = packet?.get(high as string);
    if (!section) return null;
    const most = (name: string) => groups.map((columns) => total(packet?.get(name) as Section, head, columns));
    if (low) lo += Math.min(...most(low)) / layers.length;
    hi += Math.max(...most(high as string)) / layers.length;
  }
  return { lo, hi: Math.min(1, hi) };
}

/** A row for each head and one for their mean, a column for each token. */
function total(section: Section, head: Head | null, columns: readonly number[]): number {
  const [rows, tokens] = section.shape as [number, number];
  const all = values(section);
  const of = (row: number) => columns.reduce((sum, column) => sum + (all[row * tokens + column] as number), 0);
  if (typeof head === "number") return of(head);
  if (head === "mean" || head === null) return of(rows - 1);
  const some = head === "max" ? Array.from({ length: rows - 1 }, (_, row) => row) : head;
  return head === "max" ? Math.max(...some.map(of)) : some.reduce((sum, row) => sum + of(row), 0) / some.length;
}
