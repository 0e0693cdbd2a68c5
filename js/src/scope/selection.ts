/** Where one looks, with every coordinate made valid for the capture that is looked at. */

import type { Direction, Head, Kind, LayerInfo, Level, Token } from "../wire/protocol.ts";
import { nearest } from "./axis.ts";
import type { Facts } from "./facts.ts";
import { match_words, matched } from "./matching.ts";
import type { Compare, Traits } from "./state.ts";
import { columns, is_chosen, positions } from "./words.ts";

export interface At {
  level: Level;
  kind: Kind;
  /** The second capture, of a comparison, is 1. */
  capture: 0 | 1;
  layer: LayerInfo;
  head: Head;
  /** Index among the captured steps, and its label. */
  index: number;
  step: number;
  image: number;
  branch: string;
  direction: Direction;
  /** All chosen columns, and the same word by word. */
  columns: readonly number[];
  words: readonly (readonly number[])[];
}

export type Wanted = Pick<
  Traits,
  "level" | "kind" | "layer" | "head" | "step" | "token" | "image" | "branch" | "direction"
>;

export function resolve(facts: Facts, wanted: Wanted, capture: 0 | 1 = 0): At {
  const { manifest, kinds, layers } = facts;
  const { steps, branches, images } = manifest;
  const kind = kinds.includes(wanted.kind) ? wanted.kind : (kinds[0] as Kind);
  const info = layers[kind].find((each) => each.layer === wanted.layer) ?? (layers[kind][0] as LayerInfo);
  const index = nearest(steps, wanted.step);
  return {
    level: steps.length ? wanted.level : "unet",
    kind,
    capture,
    layer: info,
    head: valid_head(wanted.head, info?.single_heads ?? 0),
    index,
    step: steps[index]?.step ?? 0,
    image: Math.min(Math.max(0, wanted.image), Math.max(0, images.length - 1)),
    branch: branches.includes(wanted.branch) ? wanted.branch : (branches[0] ?? "cond"),
    direction: wanted.direction,
    columns: kind === "cross" ? columns(manifest, wanted.token) : [],
    words: kind === "cross" ? words_of(facts, wanted.token) : [],
  };
}

/** B is A with some coordinates changed; in another capture a word is found by its name. Null where there is no B. */
export function resolve_other(here: Facts, there: Facts | null, wanted: Wanted, compare: Compare | null): At | null {
  if (!compare) return null;
  const { capture = 0, ...changed } = compare;
  // A layer or a head that is changed is looked at even where A is not as deep.
  const level = compare.head !== undefined ? "head" : wanted.level === "unet" && compare.layer ? "layer" : wanted.level;
  const other = { ...wanted, ...changed, level };
  if (capture === 0) return resolve(here, other);
  if (!there) return null;
  if (compare.token === undefined) other.token = translate(here, there, wanted.token);
  if (compare.image === undefined) other.image = 0;
  return resolve(there, other, 1);
}

/** Positions in another prompt; of a word that it lacks there are none. */
function translate(here: Facts, there: Facts, token: Token): Token {
  if (token === null) return null;
  return matched(positions(token), match_words(here.manifest, there.manifest));
}

/** Each chosen word as its columns, in the prompt's order; pieces of a word that is not whole stand alone. */
function words_of({ chips, manifest }: Facts, token: Token): number[][] {
  const whole = chips.filter((chip) => is_chosen(token, chip) && chip.columns.length);
  const known = whole.flatMap((chip) => chip.columns);
  const rest = columns(manifest, token).filter((column) => !known.includes(column));
  return [...whole.map((chip) => chip.columns), ...rest.map((column) => [column])];
}

function valid_head(head: Head, heads: number): Head {
  if (heads === 0) return "mean";
  if (typeof head === "string") return head;
  if (typeof head === "number") return head >= 0 && head < heads ? head : "mean";
  const some = [...new Set(head)].filter((each) => each >= 0 && each < heads).sort((a, b) => a - b);
  return some.length > 1 ? some : (some[0] ?? "mean");
}

export const head_name = (head: Head): string =>
  head === "mean"
    ? "mean of heads"
    : head === "max"
      ? "max of heads"
      : typeof head === "number"
        ? `head ${head}`
        : `mean of heads ${head.slice(0, -1).join(", ")} and ${head.at(-1)}`;

/** The single heads that a choice is made of. */
export function heads_in(head: Head, info: LayerInfo): readonly number[] {
  if (typeof head === "number") return [head];
  return typeof head === "string" ? Array.from({ length: info.single_heads }, (_, i) => i) : head;
}
