/**
 * A capture that never ran: a red circle above a blue square, and maps that look as a diffusion model's do, from a
 * seed. Blobs sharpen over the steps, heads differ in what they care for, BOS takes most, and rows sum to 1.
 */

import { gzipSync } from "node:zlib";
import { DEFAULTS } from "../src/scope/state.ts";
import type { Encoding, LayerInfo, Manifest, MissingInfo, SectionHead, TokenInfo } from "../src/wire/protocol.ts";
import { request } from "../src/wire/protocol.ts";
import { Packer } from "./encode.ts";
import { png } from "./png_bytes.ts";

export interface Options {
  layers: LayerInfo[];
  missing?: MissingInfo[];
  words?: string[];
  steps?: number[];
  run_steps?: number;
  height?: number;
  width?: number;
  picture?: boolean;
  preview?: boolean;
  images?: number;
  encoding?: Encoding;
  tokens_known?: boolean;
  truncated?: string | null;
  nan?: boolean;
  prompt?: string;
  /** Layers whose packets are left out, as to_html may, or one of one step: `up.1.0@4`. */
  without?: string[];
}

export interface Synthetic {
  manifest: Manifest;
  traits: Record<string, unknown>;
  buffers: Record<string, [number, number]>;
  items: Record<string, SectionHead[]>;
  /** gzip, then base64, of one buffer. */
  data: string;
}

export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function layer(
  place: string,
  block: number | null,
  attention: number,
  height: number,
  width: number,
  heads: number,
  depth: number | null = null, // null: one block, whose depth the label does not say
): LayerInfo {
  const parts = [place, block, attention].filter((part) => part !== null);
  const blocks = place === "mid" ? "mid_block" : `${place}_blocks.${block}`;
  const module = `${blocks}.attentions.${attention}.transformer_blocks.${depth ?? 0}.attn2`;
  const label = depth === null ? parts.join(".") : `${parts.join(".")}.${depth}`;
  return {
    layer: label,
    kind: "cross",
    place,
    block,
    attention,
    depth: depth ?? 0,
    module,
    height,
    width,
    heads,
    single_heads: heads,
    head_width: 40,
  };
}

/** Sixteen sites as in Stable Diffusion 1.5; the finest grid is `height` x `width`. */
export function sd15(height: number, width: number, heads = 8): LayerInfo[] {
  const at = (halvings: number) => [height >> halvings, width >> halvings] as const;
  const out: LayerInfo[] = [];
  for (const block of [0, 1, 2]) for (const i of [0, 1]) out.push(layer("down", block, i, ...at(block), heads));
  out.push(layer("mid", null, 0, ...at(3), heads));
  for (const block of [1, 2, 3]) for (const i of [0, 1, 2]) out.push(layer("up", block, i, ...at(3 - block), heads));
  return out;
}

/** SDXL's places, with fewer blocks than the real ten. */
export function sdxl(): LayerInfo[] {
  const out: LayerInfo[] = [];
  const stack = (place: string, block: number | null, i: number, size: number, heads: number, depth: number) => {
    for (let d = 0; d < depth; d++) out.push(layer(place, block, i, size, size, heads, d));
  };
  for (const i of [0, 1]) stack("down", 1, i, 32, 10, 2);
  for (const i of [0, 1]) stack("down", 2, i, 16, 20, 4);
  stack("mid", null, 0, 16, 20, 4);
  for (const i of [0, 1, 2]) stack("up", 0, i, 16, 20, 4);
  for (const i of [0, 1, 2]) stack("up", 1, i, 32, 10, 2);
  return out;
}

export const tiny = (): LayerInfo[] => [
  layer("down", 0, 0, 8, 8, 2),
  layer("down", 0, 1, 8, 8, 2),
  layer("up", 1, 0, 8, 8, 2),
  layer("up", 1, 1, 8, 8, 2),
  layer("up", 1, 2, 8, 8, 2),
];

/** Where each word of the picture is, and how wide; a word without a place is spread thin. */
const PLACES: Record<string, readonly [number, number, number]> = {
  red: [0.5, 0.3, 0.15],
  circle: [0.5, 0.3, 0.17],
  above: [0.5, 0.52, 0.2],
  blue: [0.5, 0.73, 0.15],
  square: [0.5, 0.73, 0.16],
};

function token_list(words: string[], known: boolean): TokenInfo[] {
  const special = (token: number, kind: "bos" | "eos" | "pad", count: number): TokenInfo => ({
    token,
    text: kind === "bos" ? "<|startoftext|>" : "<|endoftext|>",
    word: kind,
    word_index: -1,
    kind,
    count,
  });
  const out: TokenInfo[] = [special(0, "bos", 1)];
  words.forEach((word, word_index) => {
    // "sq|uare": pieces of one word
    for (const text of word.split("|")) {
      const token = out.length;
      const whole = word.replaceAll("|", "");
      if (known) out.push({ token, text, word: whole, word_index, kind: "prompt", count: 1 });
      else out.push({ token, text: String(token), word: String(token), word_index: -1, kind: "prompt", count: 1 });
    }
  });
  out.push(special(out.length, "eos", 1));
  out.push(special(out.length, "pad", 77 - out.length));
  return out;
}

function maps_of(info: LayerInfo, nth: number, tokens: TokenInfo[], words: string[], progress: number): Float32Array {
  const { heads, height, width } = info;
  const area = height * width;
  const out = new Float32Array(heads * tokens.length * area);
  const rnd = random(977 * nth + 13);
  const keys = tokens.map((info) =>
    info.word_index === null ? "" : (words[info.word_index] ?? "").replaceAll("|", ""),
  );
  for (let head = 0; head < heads; head++) {
    const care = 1.2 + 3.4 * rnd() ** 1.5; // how much this head looks at things at all
    const sharp = 0.75 + 0.9 * rnd();
    const drift = 0.16 * (1 - progress) + 0.02;
    const centres = tokens.map(() => [drift * (rnd() - 0.5) * 2, drift * (rnd() - 0.5) * 2] as const);
    const likes = tokens.map(() => 0.35 + rnd());
    const grain = tokens.map(() => [3 + 9 * rnd(), 3 + 9 * rnd(), 6.28 * rnd()] as const);
    const start = head * tokens.length * area;
    for (let cell = 0; cell < area; cell++) {
      const u = ((cell % width) + 0.5) / width;
      const v = (Math.floor(cell / width) + 0.5) / height;
      let sum = 0;
      for (let t = 0; t < tokens.length; t++) {
        const token = tokens[t] as TokenInfo;
        const [gu, gv, phase] = grain[t] as readonly [number, number, number];
        let logit = 0.22 * Math.sin(gu * u * 6.28 + phase) * Math.cos(gv * v * 6.28 - phase);
        const place = PLACES[keys[t] as string];
        if (token.kind === "bos") logit += 2.6;
        else if (token.kind === "eos") logit += 0.7;
        else if (token.kind === "pad") logit += 1.1;
        else if (place) {
          const [du, dv] = centres[t] as readonly [number, number];
          const spread = (place[2] * (1.9 - 0.9 * progress)) / sharp;
          const distance = ((u - place[0] - du) ** 2 + (v - place[1] - dv) ** 2) / (2 * spread * spread);
          logit += care * (likes[t] as number) * (0.35 + 0.65 * progress) * Math.exp(-distance);
        } else logit -= 0.3;
        const weight = Math.exp(logit);
        out[start + t * area + cell] = weight;
        sum += weight;
      }
      for (let t = 0; t < tokens.length; t++) {
        const i = start + t * area + cell;
        out[i] = (out[i] as number) / sum;
      }
    }
  }
  return out;
}

function mean_heads(maps: Float32Array, heads: number): Float32Array {
  const size = maps.length / heads;
  const out = new Float32Array(size);
  maps.forEach((value, i) => (out[i % size] = (out[i % size] as number) + value / heads));
  return out;
}

/** Block mean onto at most 32 cells a side, as the atlas is. */
export function reduce(values: Float32Array, planes: number, height: number, width: number) {
  const by = Math.ceil(Math.max(height, width) / 32);
  const h = Math.ceil(height / by);
  const w = Math.ceil(width / by);
  const out = new Float32Array(planes * h * w);
  const count = new Float32Array(h * w);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const cell = Math.floor(y / by) * w + Math.floor(x / by);
      count[cell] = (count[cell] as number) + 1;
      for (let plane = 0; plane < planes; plane++) {
        const i = plane * h * w + cell;
        out[i] = (out[i] as number) + (values[plane * height * width + y * width + x] as number);
      }
    }
  for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) / (count[i % (h * w)] as number);
  return { values: out, h, w };
}

/** The picture, mixed with noise for the steps before the last. */
export function picture(width: number, height: number, progress: number): Uint8Array {
  const rgb = new Uint8Array(3 * width * height);
  const rnd = random(7);
  const edge = (distance: number) => Math.min(1, Math.max(0, 0.5 - distance * Math.min(width, height)));
  const short = Math.min(width, height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += 3) {
      const u = (x + 0.5) / width;
      const v = (y + 0.5) / height;
      const [px, py] = [((u - 0.5) * width) / short, (v - 0.5) * (height / short)];
      const circle = edge(Math.hypot(px, py + 0.2 * (height / short)) - 0.17);
      const square = edge(Math.max(Math.abs(px), Math.abs(py - 0.23 * (height / short))) - 0.15);
      const shade = 1 - 0.16 * v;
      const mix = (ground: number, red: number, blue: number) =>
        (ground * (1 - circle) + red * circle) * (1 - square) + blue * square;
      const clean = [mix(236, 204, 46) * shade, mix(229, 58, 92) * shade, mix(214, 48, 176) * shade];
      for (let c = 0; c < 3; c++) {
        const noise = 128 + 150 * (rnd() + rnd() + rnd() - 1.5);
        const keep = progress ** 0.7;
        rgb[i + c] = Math.max(0, Math.min(255, keep * (clean[c] as number) + (1 - keep) * noise));
      }
    }
  return rgb;
}

export function synthesise(options: Options): Synthetic {
  const words = options.words ?? ["a", "red", "circle", "above", "a", "blue", "sq|uare"];
  const steps = options.steps ?? Array.from({ length: 20 }, (_, i) => i);
  const { height = 256, width = 256, images = 1, encoding = "q8", layers } = options;
  const known = options.tokens_known ?? true;
  const tokens = token_list(words, known);
  const run_steps = options.run_steps ?? 20;
  const small = 64 / Math.max(height, width);
  const preview =
    options.preview === false ? null : ([Math.round(height * small), Math.round(width * small)] as [number, number]);
  const packer = new Packer();
  const items: Synthetic["items"] = {};
  const mass: Manifest["mass"] = {};
  const ranges: Record<string, Float32Array> = {};

  for (let image = 0; image < images; image++) {
    const key = (kind: "atlas" | "layer" | "preview" | "range", step: number | null, name?: string) =>
      request(kind, name === undefined ? { step, image, branch: "cond" } : { step, image, branch: "cond", layer: name })
        .id;
    for (const step of steps) {
      const progress = (step + 1) / run_steps;
      const atlas: SectionHead[] = [];
      layers.forEach((info, nth) => {
        const maps = maps_of(info, nth + 100 * image, tokens, words, progress);
        if (options.nan && nth === 0) maps.fill(Number.NaN, 3, 6);
        const shape = [info.heads, tokens.length, info.height, info.width];
        if (!options.without?.some((gone) => gone === info.layer || gone === `${info.layer}@${step}`))
          items[key("layer", step, info.layer)] = [packer.add("maps", maps, shape, encoding)];
        const mean = mean_heads(maps, info.heads);
        const { values, h, w } = reduce(mean, tokens.length, info.height, info.width);
        atlas.push(packer.add(info.layer, values, [tokens.length, h, w], encoding));
        const area = info.height * info.width;
        const row = tokens.map((_, t) => mean.subarray(t * area, (t + 1) * area).reduce((a, b) => a + b, 0) / area);
        (mass[info.layer] ??= []).push(row);
        ranges[info.layer] ??= new Float32Array((info.heads + 1) * tokens.length);
        const range = ranges[info.layer] as Float32Array;
        [maps, mean].forEach((source, which) =>
          source.forEach((value, i) => {
            const slot = which * info.heads * tokens.length + Math.floor(i / area);
            if (value > (range[slot] as number)) range[slot] = value;
          }),
        );
      });
      items[key("atlas", step)] = atlas;
      if (preview) {
        const rgb = Float32Array.from(picture(preview[1], preview[0], progress));
        items[key("preview", step)] = [packer.add("rgb", rgb, [...preview, 3], "u8")];
      }
    }
    for (const info of layers) {
      const range = ranges[info.layer] as Float32Array;
      items[key("range", null, info.layer)] = [packer.add("max", range, [info.heads + 1, tokens.length], "f32")];
    }
  }

  const final = options.picture === false ? new Uint8Array() : png(picture(width, height, 1), width, height);
  const pictures =
    options.picture === false ? [] : Array.from({ length: images }, () => [0, final.length] as [number, number]);
  const manifest: Manifest = {
    protocol: "attnscope/1",
    version: "0.1.0",
    title: "synthetic",
    prompt: options.prompt ?? (known ? words.join(" ").replaceAll("|", "") : null),
    negative_prompt: null,
    model: "synthetic",
    scheduler: "DDIM",
    guidance_scale: 7.5,
    seed: 7,
    width,
    height,
    images: Array.from({ length: images }, (_, i) => String(i)),
    branches: ["cond"],
    pictures,
    preview,
    steps: steps.map((step) => ({ step, timestep: 951 - Math.round((950 * step) / run_steps), sigma: null })),
    run_steps,
    tokens,
    tokens_known: known,
    truncated: options.truncated ?? null,
    layers,
    missing: options.missing ?? [],
    mass,
  };

  const traits: Record<string, unknown> = { ...DEFAULTS, step: steps.at(-1), _manifest: manifest };
  const first_key = request("atlas", { step: traits.step as number, image: 0, branch: "cond" }).id;
  const data = packer.buffer();
  const heads = items[first_key] ?? [];
  const begin = heads[0]?.offset ?? 0;
  const end = (heads.at(-1)?.offset ?? 0) + (heads.at(-1)?.length ?? 0);
  traits._first = {
    items: [{ id: first_key, sections: heads.map((head) => ({ ...head, offset: head.offset - begin })) }],
  };
  const first = data.slice(begin, end);
  const all = new Packer();
  all.bytes(data); // first, so that the offsets of the items stay as they are
  const spot = (bytes: Uint8Array): [number, number] => {
    const { offset, length } = all.bytes(bytes);
    return [offset, length];
  };
  const buffers = { _picture: spot(final), _first_buffer: spot(first) };
  return { manifest, traits, buffers, items, data: gzipSync(all.buffer(), { level: 1 }).toString("base64") };
}

const escape_json = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** One page, laid out as Scope.to_html lays it out. */
export function html(capture: Synthetic, style: string, script: string): string {
  const { traits, buffers, items, data } = capture;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>attnscope</title><style>${style}</style></head><body>
<div id="attnscope"></div>
<script>${script}</script>
<script type="application/json" id="attnscope-traits">${escape_json(traits)}</script>
<script type="application/json" id="attnscope-index">${escape_json({ buffers, items })}</script>
<script type="text/plain" id="attnscope-data">${data}</script>
</body></html>
`;
}
