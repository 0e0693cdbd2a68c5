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
  layers: LayerInfo[];
  missing: MissingInfo[];
  /** Per layer, step and token; null where nothing was seen. The finest layers of a huge capture may be left out. */
  mass: Record<string, (number | null)[][]>;
  /** More steps are to come: `StepMessage` brings them. */
  live?: boolean;
  /** With no steps: what is waited for, in small; `title` says it in large. */
  note?: string;
  /** Of "cross" and "self" those that were captured. */
  kinds?: Kind[];
  /** Whether the steps of a transformer can be asked for. */
  anatomy?: boolean;
  /** Of the second capture. */
  other?: Manifest | null;
}

export type PacketKind = "atlas" | "layer" | "preview" | "range" | "strip" | "received" | "qk" | "rows" | "anatomy";
export type Encoding = "f16" | "f32" | "u8" | "q8";

export interface Request {
  id: string;
  kind: PacketKind;
  step: number | null;
  image: number;
  branch: string;
  layer?: string;
  /** A head of `qk`, a cell of `rows` and `strip`. */
  part?: number;
  /** 1: of the second capture. */
  capture?: 1;
}

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
  at: { step?: number | null; image: number; branch: string; layer?: string; part?: number; capture?: 0 | 1 },
): Request {
  const step = kind === "range" || kind === "strip" || kind === "anatomy" ? null : (at.step ?? null);
  const parts = [kind, step ?? "", at.image, at.branch, at.layer ?? "", ...(at.part === undefined ? [] : [at.part])];
  const item: Request = {
    id: (at.capture ? "1:" : "") + parts.join("|"),
    kind,
    step,
    image: at.image,
    branch: at.branch,
  };
  if (at.layer !== undefined) item.layer = at.layer;
  if (at.part !== undefined) item.part = at.part;
  if (at.capture) item.capture = 1;
  return item;
}
