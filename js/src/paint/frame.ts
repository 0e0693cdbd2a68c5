/** One tick's view of the world: the state and the pointer, read once. */

import { type ColourMap, lut } from "../maps/luts.ts";
import { match_words, matched } from "../scope/matching.ts";
import type { Scope } from "../scope/scope.ts";
import type { At } from "../scope/selection.ts";
import type { Traits } from "../scope/state.ts";
import { columns as columns_of } from "../scope/words.ts";
import type { Region, Transform } from "../wire/protocol.ts";
import type { Hover } from "./targets.ts";

export type FixedScale = "own" | "shared" | "run" | "fixed";

export interface Frame {
  scope: Scope;
  at: At;
  other: At | null;
  /** Chosen columns of A, all and word by word; of the hovered word while one is hovered. */
  columns: readonly number[];
  words: readonly (readonly number[])[];
  uv: readonly [number, number] | null;
  pinned: readonly [number, number] | null;
  region: Region | null;
  scale: FixedScale;
  /** While playing, colours mean the same at every step. */
  locked: boolean;
  limits: Traits["limits"];
  clip: Traits["clip"];
  transform: Transform;
  drop: Traits["drop"];
  renormalise: boolean;
  hues: boolean;
  table: Uint32Array;
  cmap: ColourMap;
  diverging: Traits["diverging"];
  overlay: number;
  blend: Traits["blend"];
  smooth: boolean;
  hover: Hover;
}

const tables = new Map<ColourMap, Uint32Array>();

function table_of(cmap: ColourMap): Uint32Array {
  let table = tables.get(cmap);
  if (!table) tables.set(cmap, (table = lut(cmap)));
  return table;
}

/** Heads beside each other and A beside B are compared; layers are first of all shapes. */
export const default_scale = (at: At, other: At | null): FixedScale =>
  other || at.level === "layer" ? "shared" : "own";

export function read_frame(scope: Scope, hover: Hover): Frame {
  const { is } = scope.state;
  const at = scope.at.peek();
  const other = scope.other_at.peek();
  const chosen = is.scale.peek();
  const limits = is.limits.peek();
  const cmap = is.cmap.peek();
  return {
    scope,
    at,
    other,
    columns: hover.columns ?? at.columns,
    words: hover.columns ? [hover.columns] : at.words,
    uv: hover.uv ?? is.uv.peek(),
    pinned: is.uv.peek(),
    region: hover.region ?? is.region.peek(),
    scale: chosen === "auto" || (chosen === "fixed" && !limits) ? default_scale(at, other) : chosen,
    locked: scope.player.playing.peek(),
    limits,
    clip: is.clip.peek(),
    transform: is.transform.peek(),
    drop: is.drop.peek(),
    renormalise: is.renormalise.peek(),
    hues: is.hues.peek() && !other, // a difference has one sign: of several words it is that of their sum
    table: table_of(cmap),
    cmap,
    diverging: is.diverging.peek(),
    overlay: is.overlay.peek(),
    blend: is.blend.peek(),
    smooth: is.smooth.peek(),
    hover,
  };
}

/** The words of A or B: a hovered one is looked for in both, unless B is another word. */
export function words_at(frame: Frame, at: At): readonly (readonly number[])[] {
  const { hover, scope } = frame;
  const own = at === frame.other && scope.state.is.compare.peek()?.token !== undefined;
  if (!hover.columns || own) return at.words;
  if (!at.capture) return [hover.columns];
  const there = columns_there(scope, hover.columns);
  return there.length ? [there] : [];
}

/** The same of any attention: self-attention has one column. */
export const words_in = (frame: Frame, at: At): readonly (readonly number[])[] =>
  at.kind === "self" ? [[0]] : words_at(frame, at);

function columns_there(scope: Scope, columns: readonly number[]): number[] {
  const here = scope.facts.peek().manifest;
  const there = scope.facts_of({ capture: 1 }).manifest;
  const said = columns.flatMap((column) => here.tokens[column]?.token ?? []);
  return columns_of(there, matched(said, match_words(here, there)));
}

/** Columns that count: all but the special ones that were dropped. */
export function counting(frame: Frame, at: At): number[] {
  const { tokens } = frame.scope.facts_of(at).manifest;
  return tokens.flatMap(({ kind }, column) => ((frame.drop as readonly string[]).includes(kind) ? [] : [column]));
}

interface Grid {
  height: number;
  width: number;
}

/** How many places a pixel can look at: what an even share is one of. */
export function chance(frame: Frame, at: At, { height, width }: Grid = at.layer): number {
  if (at.kind === "self") return height * width;
  const { tokens } = frame.scope.facts_of(at).manifest;
  return counting(frame, at).reduce((sum, column) => sum + (tokens[column]?.count ?? 1), 0);
}
