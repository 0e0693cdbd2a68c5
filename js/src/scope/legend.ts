/** The legend sentence. Twin: attnscope/figures/legend.py; both are held to tests/legend_cases.json. */

import { figure, timestep_text } from "../maps/numbers.ts";
import type { Blend, Direction, Head, Transform } from "../wire/protocol.ts";

/** What the second of two maps has otherwise. */
export interface Changes {
  /** 1 for the second capture. */
  capture?: 0 | 1;
  layer?: string;
  head?: Head;
  step?: number;
  /** Texts of the tokens; empty for the strongest-word map. */
  tokens?: readonly string[];
  image?: string;
  branch?: string;
  direction?: Direction;
}

/** A second map, and where the difference is shown its grid and largest absolute value. */
export interface Comparison {
  changes: Changes;
  height?: number | null;
  width?: number | null;
  limit?: number | null;
}

export interface LegendView {
  kind: string;
  /** One layer and its module, or null and how many layers are meant, and how many of them were seen at this step. */
  layer: string | null;
  module: string | null;
  layers: number | null;
  seen: number | null;
  head: Head;
  /** Null where the layers averaged differ in their number of heads. */
  heads: number | null;
  step: number;
  /** Steps of the run; null where not known. */
  steps: number | null;
  timestep: number | null;
  /** Over how many steps the maps were averaged when they were kept, `step` the last of them; absent where over none. */
  averaged_steps?: number | null;
  /** Texts of the tokens summed; empty for the strongest-word map. */
  tokens: string[];
  scale: "own" | "shared" | "run" | "fixed";
  transform: Transform;
  lo: number | null;
  hi: number | null;
  height: number;
  width: number;
  /** What is shown was reduced: of one layer, the coarse grid on screen; of many, the finest native grid among them. */
  reduced: [number, number] | null;
  eight_bit: boolean;
  nan: number;
  constant: number | null;
  image: string;
  images: number;
  branch: string;
  branches: number;
  /**
   * Of self-attention: the pixel that is asked about, (y, x) in pixels of the picture (of one layer the centre of its
   * cell), and which way; absent for what each pixel gets.
   */
  pixel?: readonly [number, number] | null;
  direction?: Direction | null;
  /** Or how many pixels of a box are asked about, on average. */
  box?: number | null;
  /** Whether that pixel's row or column is counted in even shares. */
  shares?: boolean;
  /** Whether several words have colours of their own; `tokens` are then these words, `highs` the end of each scale. */
  hues?: boolean;
  highs?: readonly number[];
  /** Percentiles between which the colours run. */
  clip?: readonly [number, number] | null;
  /** How many positions count: chance is 1 divided by it. 1 where values are multiples of chance already. */
  positions?: number | null;
  renormalise?: boolean;
  drop?: readonly string[];
  blend?: Blend;
  smooth?: boolean;
  /** Whether queries and keys have 16 bits. */
  sixteen_bit?: boolean;
  compare?: Comparison | null;
}

const SCALE = {
  own: "own scale",
  shared: "scale shared by all maps shown",
  run: "scale shared by all captured steps",
  fixed: "fixed scale",
} as const;

const TRANSFORM = {
  linear: "linear",
  sqrt: "square root",
  log: "log10 with floor 0.0001",
  uniform: "times chance",
} as const;

const BLEND = { mask: "picture darkened where the map is low", contour: "line around half of the mass" } as const;

const grid = (height: number, width: number): string => `${height}×${width}`;
const all = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

export function legend(view: LegendView): string {
  const { tokens, lo, hi, blend, compare } = view;
  const words = view.kind !== "self";
  const what = [`${view.kind}-attention`, place(view), heads(view), when(view)];
  what.push(words ? whose(tokens, view.hues) : which(view));
  if (view.images > 1) what.push(`image ${view.image}`);
  if (view.branches > 1 || view.branch !== "cond") what.push(`branch ${view.branch}`);
  const parts = [what.join(", ")];
  if (words && tokens.length === 0) parts.push("bos, eos and padding left out");
  else if (lo !== null && hi !== null) parts.push(colours(view, lo, hi));
  if (words) parts.push(normalised(view));
  if (blend && blend !== "colour") parts.push(BLEND[blend]);
  parts.push(cells(view));
  if (view.eight_bit) parts.push("8-bit");
  if (view.sixteen_bit) parts.push("queries and keys in 16 bits");
  if (view.nan) parts.push(`${view.nan} ${view.nan === 1 ? "cell is" : "cells are"} not a number (magenta)`);
  if (view.constant !== null) parts.push(`constant ${figure(view.constant)}`);
  const said = parts.join("; ");
  return compare ? `A: ${[said, ...compared(compare)].join("; ")}.` : `${said}.`;
}

/** Fewer are averaged than are meant where some were not seen. */
export const how_many = (seen: number | null, all: number | null): string => (seen === all ? "" : `${seen} of `) + all;

function place({ layer, module, layers, seen, height, width, reduced }: LegendView): string {
  if (layer !== null) return module === null ? layer : `${layer} (${module})`;
  const how = reduced ? "finer ones by block mean, coarser ones by nearest cell" : "by nearest cell";
  return `mean of ${how_many(seen, layers)} layers (each on ${grid(height, width)}${reduced ? ", " : " "}${how})`;
}

function heads({ head, heads }: LegendView): string {
  if (typeof head !== "string") return one_head(head);
  if (heads === 1) return "the only head";
  return `${head === "mean" ? "mean of" : "maximum over"} ${heads ?? "all"} heads`;
}

function one_head(head: Head): string {
  if (typeof head === "number") return `head ${head}`;
  if (typeof head === "string") return head === "mean" ? "mean of heads" : "maximum over heads";
  return `mean of heads ${all(head.map(String))}`;
}

function when({ step, steps, timestep, averaged_steps }: LegendView): string {
  const mean = averaged_steps ? `mean of ${averaged_steps} steps up to ` : "";
  const time = timestep === null ? "" : ` (t=${timestep_text(timestep)})`;
  return `${mean}step ${step}${steps === null ? "" : `/${steps}`}${time}`;
}

function whose(tokens: readonly string[], hues = false): string {
  if (tokens.length === 0) return "strongest prompt word of each pixel";
  const quoted = tokens.map((text) => `‘${text}’`);
  if (tokens.length === 1) return `token ${quoted[0]}`;
  return hues ? `words ${all(quoted)} in colours of their own` : `tokens ${quoted.join(", ")} summed`;
}

function which({ pixel, direction, layer, height, width, shares, box }: LegendView): string {
  if (box) return `${direction}: mean over ${box} pixels of a box`;
  if (!pixel) return "received attention (column sums; 1 is an even share)";
  const of = layer === null ? "" : ` of ${grid(height, width)}`;
  const one = `pixel (y ${figure(pixel[0])}, x ${figure(pixel[1])})${of}`;
  const text = direction === "column" ? `column: what attends to ${one}` : `row: where ${one} attends to`;
  const whose = layer === null ? "each layer's" : "the layer's";
  return layer === null || shares ? `${text} (times ${whose} number of pixels; 1 is an even share)` : text;
}

function colours({ transform, clip, scale, hues, highs, positions }: LegendView, lo: number, hi: number): string {
  if (transform === "rank") return "rank within the map, 0 lowest to 1 highest";
  let how: string = TRANSFORM[transform];
  const times = transform === "uniform" ? positions || 1 : 1;
  if (times !== 1) how += ` (multiples of 1/${times})`;
  if (clip && (clip[0] !== 0 || clip[1] !== 100) && scale !== "fixed")
    how += `, clip ${figure(clip[0])}–${figure(clip[1])} %`;
  const ends = (hues && highs?.length ? highs : [hi]).map((one) => figure(one * times));
  return `${how}, ${SCALE[scale]} ${figure(lo * times)} to ${all(ends)}`;
}

function normalised({ renormalise, positions, drop }: LegendView): string {
  const dropped = all((drop ?? []).map((kind) => (kind === "pad" ? "padding" : kind)));
  if (!renormalise) return `not renormalised${dropped && `, ${dropped} not counted`}`;
  const over = positions == null ? "" : ` over ${positions} token${positions === 1 ? "" : "s"}`;
  return `renormalised${over}${dropped && ` without ${dropped}`}`;
}

function cells({ layer, height, width, reduced, smooth }: LegendView): string {
  const coarse = layer !== null && reduced ? `, coarse: block means of ${grid(...reduced)}` : "";
  return `${grid(height, width)}${coarse}, shown ${smooth ? "with bilinear" : "without"} smoothing`;
}

function compared({ changes, height, width, limit }: Comparison): string[] {
  const { capture, layer, head, step, tokens, image, branch, direction } = changes;
  const said: string[] = [];
  if (layer !== undefined) said.push(`layer ${layer}`);
  if (head !== undefined) said.push(one_head(head));
  if (step !== undefined) said.push(`step ${step}`);
  if (tokens !== undefined) said.push(whose(tokens));
  if (image !== undefined) said.push(`image ${image}`);
  if (branch !== undefined) said.push(`branch ${branch}`);
  if (direction !== undefined) said.push(`the ${direction}`);
  const parts = [`B: the same${capture ? " in the second capture" : ""}${said.length ? ` with ${all(said)}` : ""}`];
  if (height != null && width != null && limit != null)
    parts.push(`difference A − B at ${grid(height, width)}, ±${figure(limit)}`);
  return parts;
}
