/** The legend sentence. Twin: attnscope/figures/legend.py; both are held to tests/legend_cases.json. */

import { figure, timestep_text } from "../maps/numbers.ts";
import type { Head, Transform } from "../wire/protocol.ts";

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
  scale: "own" | "shared" | "run";
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
}

const SCALE = {
  own: "own scale",
  shared: "scale shared by all maps shown",
  run: "scale shared by all captured steps",
} as const;

const TRANSFORM = {
  linear: "linear",
  sqrt: "square root",
  log: "log10 with floor 0.0001",
  rank: "rank",
  uniform: "multiples of chance",
} as const;

const grid = (height: number, width: number): string => `${height}×${width}`;

export function legend(view: LegendView): string {
  const { tokens, lo, hi } = view;
  const what = [`${view.kind}-attention`, place(view), heads(view), when(view), whose(tokens)];
  if (view.images > 1) what.push(`image ${view.image}`);
  if (view.branches > 1 || view.branch !== "cond") what.push(`branch ${view.branch}`);
  const parts = [what.join(", ")];
  if (tokens.length === 0) parts.push("bos, eos and padding left out");
  else if (lo !== null && hi !== null)
    parts.push(`${TRANSFORM[view.transform]}, ${SCALE[view.scale]} ${figure(lo)} to ${figure(hi)}`);
  parts.push("not renormalised", cells(view));
  if (view.eight_bit) parts.push("8-bit");
  if (view.nan) parts.push(`${view.nan} ${view.nan === 1 ? "cell is" : "cells are"} not a number (magenta)`);
  if (view.constant !== null) parts.push(`constant ${figure(view.constant)}`);
  return `${parts.join("; ")}.`;
}

/** Fewer are averaged than are meant where some were not seen. */
export const how_many = (seen: number | null, all: number | null): string => (seen === all ? "" : `${seen} of `) + all;

function place({ layer, module, layers, seen, height, width, reduced }: LegendView): string {
  if (layer !== null) return module === null ? layer : `${layer} (${module})`;
  const how = reduced ? "finer ones by block mean, coarser ones by nearest cell" : "by nearest cell";
  return `mean of ${how_many(seen, layers)} layers (each on ${grid(height, width)}${reduced ? ", " : " "}${how})`;
}

function heads({ head, heads }: LegendView): string {
  if (head !== "mean") return `head ${head}`;
  if (heads === null) return "mean of all heads";
  return heads === 1 ? "the only head" : `mean of ${heads} heads`;
}

function when({ step, steps, timestep, averaged_steps }: LegendView): string {
  const mean = averaged_steps ? `mean of ${averaged_steps} steps up to ` : "";
  const time = timestep === null ? "" : ` (t=${timestep_text(timestep)})`;
  return `${mean}step ${step}${steps === null ? "" : `/${steps}`}${time}`;
}

function whose(tokens: string[]): string {
  if (tokens.length === 0) return "strongest prompt word of each pixel";
  const quoted = tokens.map((text) => `‘${text}’`).join(", ");
  return tokens.length === 1 ? `token ${quoted}` : `tokens ${quoted} summed`;
}

function cells({ layer, height, width, reduced }: LegendView): string {
  const coarse = layer !== null && reduced ? `, coarse: block means of ${grid(...reduced)}` : "";
  return `${grid(height, width)}${coarse}, shown without smoothing`;
}
