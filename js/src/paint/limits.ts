/** Where colours begin and end. */

import { type Limits, LOG_FLOOR, percentiles } from "../maps/scaling.ts";
import type { At } from "../scope/selection.ts";
import { type Section, values } from "../wire/decode.ts";
import type { Head, Manifest } from "../wire/protocol.ts";
import { type Frame, words_in } from "./frame.ts";
import type { Subject } from "./targets.ts";
import type { MapValues } from "./values.ts";

/** Limits over all steps may be the widest seen so far: then they are about right, and said to be. */
export interface Ends extends Limits {
  approximate?: boolean;
}

/** Of all maps, or of each word's. */
export type Shared = Ends | readonly Ends[] | null;

const ends_at = (shared: Shared, which = 0): Ends | null =>
  (Array.isArray(shared) ? shared[which] : (shared as Ends | null)) ?? null;

const RANKS: Ends = { lo: 0, hi: 1 };

const whole = ([lo, hi]: readonly [number, number]): boolean => lo === 0 && hi === 100;

/** The logarithm has a floor; everything else begins at nothing, unless it is clipped. */
const from_floor = <T extends Limits>(limits: T, { transform }: Frame): T =>
  transform === "log" ? { ...limits, lo: Math.max(limits.lo, LOG_FLOOR) } : limits;

/** A map that a scale covers, and where it is of. */
export interface Covered extends Subject {
  at: At;
  values: MapValues;
}

/** Limits that all maps of a view share; null where each has its own. */
export function shared_limits(frame: Frame, shown: readonly Covered[]): Ends | null {
  if (frame.transform === "rank") return RANKS;
  if (frame.scale === "fixed" && frame.limits) return from_floor({ lo: frame.limits[0], hi: frame.limits[1] }, frame);
  if (frame.scale === "own") return null;
  const maps = shown.flatMap(({ values }) => values.maps);
  if (!maps.length) return null;
  if (frame.scale === "run" || frame.locked) {
    const each = shown.flatMap((one) => over_steps(frame, one.at, one, one.values, words_of(frame, one.at)));
    if (each.length) return from_floor(joined(each), frame);
  }
  return from_floor(percentiles(maps, frame.clip), frame);
}

/** A map's own limits, which stand still while playing: of each of its words over all steps. */
export function locked_limits(frame: Frame, at: At, subject: Subject, shown: MapValues): Shared {
  if (!frame.locked || frame.scale !== "own" || !shown.maps.length) return null;
  return over_steps(frame, at, subject, shown, words_of(frame, at)).map((ends) => from_floor(ends, frame));
}

/** Of one map of its own; `which` is the word where each has a colour. */
export function own_limits(frame: Frame, shown: MapValues, which = 0): Ends {
  if (frame.transform === "rank") return RANKS;
  const map = shown.maps[which];
  if (!map) return { lo: 0, hi: 0 };
  // The extent is known already.
  if (whole(frame.clip) && which === 0) return from_floor({ lo: 0, hi: shown.extent?.hi ?? 0 }, frame);
  return from_floor(percentiles([map], frame.clip), frame);
}

/** Of each map, as it is drawn: those that are given, else its own. Of several words the lower end is said once. */
export function limits_of(frame: Frame, values: MapValues, shared: Shared): Ends[] {
  const each = values.maps.map((_, i) => ends_at(shared, i) ?? own_limits(frame, values, i));
  const lo = Math.min(...each.map((ends) => ends.lo));
  return each.map((ends) => ({ ...ends, lo }));
}

function joined(each: readonly Ends[]): Ends {
  return {
    lo: Math.min(...each.map(({ lo }) => lo)),
    hi: Math.max(...each.map(({ hi }) => hi)),
    approximate: each.some(({ approximate }) => approximate),
  };
}

/** Words with a map each. */
function words_of(frame: Frame, at: At): readonly (readonly number[])[] {
  const words = words_in(frame, at);
  return frame.hues ? words : [words.flat()];
}

/** Over all steps, for each word: from the run's ranges, else as wide as was seen. */
function over_steps(frame: Frame, at: At, subject: Subject, shown: MapValues, words: readonly (readonly number[])[]) {
  return shown.maps.map((map, i): Ends => {
    const known = run_limits(frame, at, subject, words[i] ?? []);
    return known ?? widest(frame, at, subject, words[i] ?? [], percentiles([map], frame.clip));
  });
}

/** By run: another one begins with another manifest. */
const SEEN = new WeakMap<Manifest, Map<string, Ends>>();
const KEPT = 512;

/** The widest limits seen of one map, whichever the step. */
function widest(frame: Frame, at: At, { layers, head }: Subject, columns: readonly number[], now: Limits): Ends {
  const { scope, clip, renormalise, drop, region } = frame;
  const { manifest } = scope.facts_of(at);
  let seen = SEEN.get(manifest);
  if (!seen) SEEN.set(manifest, (seen = new Map()));
  const where = at.kind === "self" ? [frame.uv, region, at.direction] : [];
  const { kind, capture, image, branch } = at;
  const key = JSON.stringify([kind, capture, image, branch, layers, head, columns, clip, renormalise, drop, where]);
  const before = seen.get(key);
  const ends = {
    lo: Math.min(now.lo, before?.lo ?? now.lo),
    hi: Math.max(now.hi, before?.hi ?? now.hi),
    approximate: true,
  };
  seen.delete(key);
  seen.set(key, ends);
  if (seen.size > KEPT) seen.delete(seen.keys().next().value as string);
  return ends;
}

/** Percentiles that ranges are kept of, and where: colours begin at nothing without one. */
const LOWEST: Record<number, string> = { 0: "", 1: "p1" };
const HIGHEST: Record<number, string> = { 99: "p99", 100: "max" };

/** Over all steps; where several tokens, heads or layers are joined, a bound on it. Null where it is not known. */
function run_limits(frame: Frame, at: At, { layers, head }: Subject, columns: readonly number[]): Limits | null {
  if (at.kind !== "cross" || frame.renormalise || layers.length === 0) return null;
  const [low, high] = [LOWEST[frame.clip[0]], HIGHEST[frame.clip[1]]];
  if (low === undefined || high === undefined) return null;
  let [lo, hi] = [0, 0];
  for (const layer of layers) {
    const packet = frame.scope.packet("range", at, { layer });
    const section = packet?.get(high);
    if (!section) return null;
    if (low) lo += total(packet?.get(low) as Section, head, columns) / layers.length;
    hi += total(section, head, columns) / layers.length;
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
