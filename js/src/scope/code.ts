/** The xarray expression behind what is on screen. Twin: attnscope/figures/query.py; both are held to tests/code_cases.json. */

import type { Head } from "../wire/protocol.ts";

export interface CodeView {
  level: "unet" | "block" | "layer" | "head";
  kind: string;
  layer: string;
  head: Head;
  step: number;
  token: null | number | number[];
  image: number;
  images: number;
  branch: string;
  branches: number;
  /** Whether some of it was not seen: a sum over tokens must then not count it as 0. */
  gaps: boolean;
  /** Whether several words are kept apart, each in a colour of its own, not summed. */
  apart?: boolean;
  renormalise?: boolean;
  drop?: string[];
  /** Of self-attention: the pinned point, the cell under it in its layer (counted row by row) or those of a box, and which way. */
  uv?: readonly [number, number] | null;
  cell?: number | number[] | null;
  direction?: "row" | "column";
  /** Where a difference is on screen: what is subtracted, of the second capture where `capture` is 1. */
  compare?: CodeView | null;
  capture?: 0 | 1;
}

const quoted = (text: string): string => JSON.stringify(text);
const listed = (values: readonly (number | string)[]): string => `[${values.map((v) => JSON.stringify(v)).join(", ")}]`;
/** At most four decimals, as Python rounds them. */
const decimals = (value: number): number => Number(value.toFixed(4));

/** `source`, `other`: the capture and the second one, or what they were narrowed to. */
export function code(view: CodeView, source = "cap", other = "other"): string {
  const own = expression(view, source, other);
  return view.compare ? `attnscope.analysis.difference(${own}, ${expression(view.compare, source, other)})` : own;
}

function expression(view: CodeView, source: string, other: string): string {
  const where: string[] = [];
  if (view.images > 1) where.push(`image=${view.image}`);
  if (view.branches > 1) where.push(`branch=${quoted(view.branch)}`);
  where.push(`step=${view.step}`);
  const cap = view.capture ? other : source;
  return view.kind === "self" ? pixels(view, cap, where) : words(view, cap, [...where, ...heads(view)]);
}

function words(view: CodeView, cap: string, where: string[]): string {
  const tokens = view.token === null ? [] : [view.token].flat();
  const chosen = tokens.length ? `token=${listed(tokens)}` : "";
  const drop = view.drop?.length ? listed(view.drop) : "";
  const source = view.level === "unet" ? 'stack(how="nearest")' : `layer(${quoted(view.layer)})`;
  // What is renormalised needs every token; else those that are not looked at need not be averaged.
  if (chosen && !view.renormalise) where.push(chosen);
  let text = `${cap}.${source}.sel(${where.join(", ")})${over_heads(view)}`;
  if (view.renormalise) {
    text = `attnscope.analysis.renormalise(${text}${drop ? `, drop=${drop}` : ""})`;
    if (chosen) text += `.sel(${chosen})`;
  }
  if (drop && !chosen) text = `attnscope.analysis.drop_tokens(${text}, ${drop})`;
  return chosen && !view.apart ? `${text}.sum("token"${view.gaps ? ", skipna=False" : ""})` : text;
}

function pixels(view: CodeView, cap: string, where: string[]): string {
  const direction = view.direction ?? "row";
  if (view.level === "unet") {
    const point = view.uv ? [`uv=${listed(view.uv.map(decimals))}`, `direction=${quoted(direction)}`] : [];
    const stack = view.uv ? "pixel_stack" : "received_stack";
    return `attnscope.analysis.${stack}(${[cap, ...point, ...where].join(", ")})${over_heads(view)}`;
  }
  const { cell } = view;
  const dim = direction === "row" ? "pixel" : "key";
  let asked = '.sum("pixel", skipna=False)';
  if (typeof cell === "number") asked = `.isel(${dim}=${cell})`;
  else if (cell) asked = `.isel(${dim}=${listed(cell)}).mean("${dim}")`;
  const sel = [...where, ...heads(view)].join(", ");
  return `${cap}.layer(${quoted(view.layer)}, kind="self").sel(${sel})${asked}${over_heads(view)}`;
}

/** What is shown of the heads at this level: of one layer as a whole a maximum, or the mean of some. */
const shown = ({ level, head }: CodeView): Head =>
  level === "head" || (level === "layer" && typeof head !== "number") ? head : "mean";

function heads(view: CodeView): string[] {
  const head = shown(view);
  if (typeof head === "string") return [];
  return [`head=${typeof head === "number" ? head : listed(head)}`];
}

function over_heads(view: CodeView): string {
  const head = shown(view);
  if (typeof head === "number") return "";
  // After the heads: layers differ in heads, and each layer counts the same.
  return (head === "max" ? '.max("head")' : '.mean("head")') + (view.level === "unet" ? '.mean("layer")' : "");
}
