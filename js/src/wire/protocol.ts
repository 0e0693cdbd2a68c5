/** The wire, `attnscope/1`. Twin: attnscope/widget/protocol.py; contract: docs/architecture.md. */

export const PROTOCOL = "attnscope/1";

export type Level = "unet" | "block" | "layer" | "head";
export type Kind = "cross" | "self";
/** One head, the mean or the maximum of all, or the mean of some. */
export type Head = number | "mean" | "max" | readonly number[];
export type Token = null | number | number[];
export type Direction = "row" | "column";
export type Scale = "auto" | "own" | "shared" | "run" | "fixed";
export type Transform = "linear" | "sqrt" | "log" | "rank" | "uniform";
/** Of the heads. */
export type Sort = "index" | "entropy" | "mass" | "similarity";
export type Blend = "colour" | "mask" | "contour";
export type Region = readonly [number, number, number, number];
export type Theme = "auto" | "light" | "dark";
export type UV = readonly [number, number];

export interface StepInfo {
  step: number;
  timestep: number | null;
  sigma: number | null;
}

export interface TokenInfo {
  token: number;
  text: string;
  word: string;
  /** Counts words; -1 for what is no word. */
  word_index: number;
  kind: "bos" | "prompt" | "eos" | "pad" | "image" | "self";
  count: number;
}

/** One of a layer's two attentions; both have the layer's label. */
export interface LayerInfo {
  layer: string;
  kind: string;
  place: string;
  block: number | null;
  attention: number;
  depth: number | null;
  module: string;
  height: number;
  width: number;
  heads: number;
  /** How many of them can be shown: none where only their mean is kept. */
  single_heads: number;
  head_width: number;
  /** Self-attention: the dtype of the queries and keys that were kept. */
  stored?: string;
}

export interface MissingInfo {
  layer: string;
  kind: string;
  module: string;
  reason: string;
}

export interface Manifest {
  protocol: string;
  version: string;
  title: string;
  prompt: string | null;
  negative_prompt: string | null;
  model: string;
  scheduler: string | null;
  guidance_scale: number | null;
  seed: number | null;
  width: number;
  height: number;
  images: string[];
  branches: string[];
  pictures: [number, number][];
  preview: [number, number] | null;
  steps: StepInfo[];
  run_steps?: number | null;
  /** Over how many steps the maps were averaged when they were kept; their step is the last of them. */
  averaged_steps?: number | null;
  tokens: TokenInfo[];
  tokens_known: boolean;
  truncated: string | null;
  /** Of which attentions there is something. */
  kinds: Kind[];
  layers: LayerInfo[];
  missing: MissingInfo[];
  /** Per layer of cross-attention, step and token; null where nothing was seen. The finest layers of a huge capture may be left out. */
  mass: Record<string, (number | null)[][]>;
  /** More steps are to come: `StepMessage` brings them. */
  live?: boolean;
  /** With no steps: what is waited for, in small; `title` says it in large. */
  note?: string;
  /** Whether anatomy can be asked for. */
  anatomy: boolean;
  /** A second capture to compare with. */
  other: Manifest | null;
  /** In code: the capture, or what a scope of several texts narrowed it to. */
  source?: string;
}

export type PacketKind =
  | "atlas"
  | "layer"
  | "heads"
  | "preview"
  | "range"
  | "strip"
  | "received"
  | "qk"
  | "rows"
  | "anatomy";
export type Encoding = "f16" | "f32" | "u8" | "q8";

export interface Request {
  id: string;
  kind: PacketKind;
  step: number | null;
  image: number;
  branch: string;
  layer?: string;
  /** The head of `qk`; the cell of `rows` and `strip`. */
  part?: number;
  /** 1: of the second capture. */
  capture?: 1;
}

/** What the one section of `anatomy` says, as JSON: the Transformer2DModel that holds the layer, step by step. */
export interface Anatomy {
  rows: AnatomyRow[];
  measures: Record<string, unknown> | null;
}

export interface AnatomyRow {
  layer: string;
  /** Where the step stands: `BasicTransformerBlock`, `attn1`, `attn1.processor`, ... */
  part: string;
  operation: string;
  module: string;
  definition: string;
  input: Shapes;
  output: Shapes;
}

/** The shape of a tensor, or those of several. */
export type Shapes = number[] | number[][];

export interface SectionHead {
  name: string;
  encoding: Encoding;
  shape: number[];
  offset: number;
  length: number;
  /** Whether the values went through eight bits, where the encoding alone does not say so. */
  eight_bit?: boolean;
}

export interface GetMessage {
  type: "get";
  gen: number;
  items: Request[];
}

export interface PutMessage {
  type: "put";
  gen?: number;
  items: { id: string; sections: SectionHead[] }[];
}

/** Unasked: a step of the run was finished, and its atlas. */
export interface StepMessage extends Omit<PutMessage, "type"> {
  type: "step";
  step: StepInfo;
  mass: Record<string, (number | null)[]>;
}

export interface ErrMessage {
  type: "err";
  gen?: number;
  id: string;
  text: string;
  trace: string | null;
}

/** The part of the anywidget model that the scope uses; `standalone.ts` makes one of its own. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(content: unknown): void;
  // biome-ignore lint/suspicious/noExplicitAny: hosts pass different arguments per event
  on(name: string, callback: (...args: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  off(name: string, callback: (...args: any[]) => void): void;
}

/** The item's key: its identity in messages, in the cache and in the index of an HTML file. */
export function request(
  kind: PacketKind,
  at: Omit<Request, "id" | "kind" | "step"> & { step?: number | null },
): Request {
  const { image, branch, layer, part, capture } = at;
  const step = kind === "range" || kind === "strip" || kind === "anatomy" ? null : (at.step ?? null);
  const words = [kind, step ?? "", image, branch, layer ?? ""];
  if (part !== undefined) words.push(part);
  const item: Request = { id: (capture ? "1:" : "") + words.join("|"), kind, step, image, branch };
  if (layer !== undefined) item.layer = layer;
  if (part !== undefined) item.part = part;
  if (capture) item.capture = capture;
  return item;
}
