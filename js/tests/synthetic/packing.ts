/** The items of a capture, packed as the kernel packs them. */

import { percentiles } from "../../src/maps/scaling.ts";
import { column_of, row_of } from "../../src/maps/selfattention.ts";
import type { Encoding } from "../../src/wire/protocol.ts";
import { type LayerInfo, type Request, request, type SectionHead, type TokenInfo } from "../../src/wire/protocol.ts";
import type { Packer } from "../encode.ts";
import { anatomy_of } from "./anatomy.ts";
import { maps_of, mean_heads, reduce } from "./cross.ts";
import { HEAD_WIDTH } from "./layers.ts";
import { self_heads } from "./self.ts";

const ROWS_UP_TO = 16; // pixels: rows of every cell of larger grids would be most of a file
const QK_BYTES = 1.5e6;

export type Items = Record<string, SectionHead[]>;
/** Keeps the sections of an item under its key. */
export type Keep = (
  kind: Request["kind"],
  at: { step?: number; layer?: string; part?: number },
  heads: SectionHead[],
) => void;

export const keeper =
  (items: Items, image: number, capture: boolean): Keep =>
  (kind, at, heads) => {
    items[request(kind, { ...at, image, branch: "cond", ...(capture ? { capture: 1 } : {}) }).id] = heads;
  };

/** All that is kept of one image's cross-attention, step by step; `range` looks back over the steps. */
export class CrossPacking {
  #seen = new Map<string, Float32Array[][]>();
  /** Of the step that is packed, layer after layer. */
  #pairs: [string, number][] = [];
  #focus: number[] = [];
  #mass: number[] = [];

  constructor(
    readonly packer: Packer,
    readonly keep: Keep,
    readonly tokens: TokenInfo[],
    readonly words: string[],
    readonly encoding: Encoding,
  ) {}

  /** One layer of one step: its section of the atlas, and the mean of each token. */
  layer(
    info: LayerInfo,
    seed: number,
    step: number,
    progress: number,
    options: { nan: boolean; kept: boolean; flat: boolean },
  ) {
    const { packer, tokens, encoding } = this;
    const { layer, heads, height, width } = info;
    const maps = maps_of(info, seed, tokens, this.words, progress);
    if (options.flat) maps.fill(1 / tokens.length);
    if (options.nan) maps.fill(Number.NaN, 3, 6);
    const shape = [heads, tokens.length, height, width];
    for (let row = 0; row < heads; row++) this.#pairs.push([layer, row]);
    for (let start = 0; start < maps.length; start += height * width) {
      const map = maps.subarray(start, start + height * width);
      const mass = map.reduce((a, b) => a + b, 0);
      let entropy = 0;
      for (const value of map) entropy -= (value / mass) * Math.log2(value / mass);
      this.#focus.push(1 - entropy / Math.log2(map.length));
      this.#mass.push(mass / map.length);
    }
    if (options.kept) this.keep("layer", { step, layer }, [packer.add("maps", maps, shape, encoding)]);
    const mean = mean_heads(maps, heads);
    const { values, h, w } = reduce(mean, tokens.length, height, width);
    const area = height * width;
    const planes = [maps, mean].flatMap((all) =>
      Array.from({ length: all.length / area }, (_, i) => all.subarray(i * area, (i + 1) * area)),
    );
    const known = this.#seen.get(layer) ?? planes.map(() => []);
    planes.forEach((plane, i) => known[i]?.push(plane));
    this.#seen.set(layer, known);
    return {
      atlas: packer.add(layer, values, [tokens.length, h, w], encoding),
      mass: planes.slice(-tokens.length).map((plane) => plane.reduce((a, b) => a + b, 0) / area),
    };
  }

  /** What heads are ranked by, when all layers of a step are packed. */
  heads(step: number): void {
    const bytes = new TextEncoder().encode(JSON.stringify(this.#pairs));
    const shape = [this.#pairs.length, this.tokens.length];
    this.keep("heads", { step }, [
      this.packer.add("pairs", Float32Array.from(bytes), [bytes.length], "u8"),
      this.packer.add("focus", Float32Array.from(this.#focus), shape, "f32"),
      this.packer.add("mass", Float32Array.from(this.#mass), shape, "f32"),
    ]);
    [this.#pairs, this.#focus, this.#mass] = [[], [], []];
  }

  ranges(): void {
    for (const [layer, planes] of this.#seen) {
      const shape = [planes.length / this.tokens.length, this.tokens.length];
      const limits = planes.map((list) => ({ most: percentiles(list, [0, 100]).hi, ...percentiles(list, [1, 99]) }));
      const add = (name: string, of: (each: (typeof limits)[number]) => number) =>
        this.packer.add(name, Float32Array.from(limits, of), shape, "f32");
      this.keep("range", { layer }, [
        add("max", ({ most }) => most),
        add("p1", ({ lo }) => lo),
        add("p99", ({ hi }) => hi),
      ]);
    }
  }
}

/** One layer of self-attention at one step: what every pixel receives, queries and keys, and rows where they are few. */
export function pack_self(
  packer: Packer,
  keep: Keep,
  info: LayerInfo,
  seed: number,
  step: number,
  progress: number,
  nan: boolean,
): void {
  const { layer, height, width } = info;
  const pixels = height * width;
  const heads = self_heads(info, seed, progress);
  if (nan) heads.forEach(({ lse }) => lse.fill(Number.NaN, 3, 6));
  const received = new Float32Array(heads.length * pixels);
  const encoding = 8 * pixels * HEAD_WIDTH <= QK_BYTES ? "f32" : "f16";
  heads.forEach((head, part) => {
    received.set(head.received, part * pixels);
    keep("qk", { step, layer, part }, [
      packer.add("query", head.query, [pixels, HEAD_WIDTH], encoding),
      packer.add("key", head.key, [pixels, HEAD_WIDTH], encoding),
      packer.add("lse", head.lse, [pixels], "f32"),
      packer.add("scale", Float32Array.of(head.scale), [1], "f32"),
    ]);
  });
  const shape = [heads.length, height, width];
  keep("received", { step, layer }, [packer.add("maps", received, shape, "f16")]);
  if (pixels > ROWS_UP_TO) return;
  const opened = heads.map((head) => ({ ...head, bias: null, pixels, width: HEAD_WIDTH }));
  for (let part = 0; part < pixels; part++) {
    const all = (of: typeof row_of) => Float32Array.from(opened.flatMap((qk) => [...of(qk, part)]));
    keep("rows", { step, layer, part }, [
      packer.add("row", all(row_of), shape, "f32"),
      packer.add("column", all(column_of), shape, "f32"),
    ]);
  }
}

/** The table of every transformer, under each layer that stands in it. */
export function pack_anatomy(packer: Packer, keep: Keep, layers: LayerInfo[], places: number, measured: number): void {
  const root = ({ module }: LayerInfo) => module.replace(/\.transformer_blocks.*$/, "");
  for (const name of new Set(layers.map(root))) {
    const blocks = layers.filter((info) => root(info) === name);
    const bytes = new TextEncoder().encode(JSON.stringify(anatomy_of(blocks, places, measured)));
    const head = packer.add("table", Float32Array.from(bytes), [bytes.length], "u8");
    for (const { layer } of blocks) keep("anatomy", { layer }, [head]);
  }
}
