/**
 * A capture that never ran: a red circle above a blue square, and maps that look as a diffusion model's do, from a
 * seed. Blobs sharpen over the steps, heads differ in what they care for, BOS takes most, and rows sum to 1.
 */

import { gzipSync } from "node:zlib";
import { DEFAULTS } from "../src/scope/state.ts";
import type { Encoding, LayerInfo, Manifest, MissingInfo, SectionHead } from "../src/wire/protocol.ts";
import { request } from "../src/wire/protocol.ts";
import { Packer } from "./encode.ts";
import { png } from "./png_bytes.ts";
import { type Frame, token_list } from "./synthetic/cross.ts";
import { with_self } from "./synthetic/layers.ts";
import { CrossPacking, type Items, keeper, pack_anatomy, pack_self } from "./synthetic/packing.ts";
import { picture } from "./synthetic/picture.ts";

export { sd15, sdxl, tiny } from "./synthetic/layers.ts";
export { random } from "./synthetic/random.ts";

export interface Options {
  layers: LayerInfo[];
  /** Self-attention of the same blocks too. */
  self?: boolean;
  missing?: MissingInfo[];
  words?: string[];
  frame?: Frame;
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
  anatomy?: boolean;
  /** It can be asked for, but is not in the page. */
  without_anatomy?: boolean;
  /** The first layer looks at every word alike. */
  flat?: boolean;
  prompt?: string;
  seed?: number;
  /** Layers whose packets are left out, as to_html may, or one of one step: `up.3.1@4`. */
  without?: string[];
  /** A second capture. */
  other?: Options;
}

export interface Synthetic {
  manifest: Manifest;
  traits: Record<string, unknown>;
  buffers: Record<string, [number, number]>;
  items: Items;
  /** gzip, then base64, of one buffer. */
  data: string;
}

/** Packs one capture, and says what there is of it. */
function pack(
  options: Options,
  packer: Packer,
  items: Items,
  second: boolean,
): { manifest: Manifest; final: Uint8Array } {
  const words = options.words ?? ["a", "red", "circle", "above", "a", "blue", "sq|uare"];
  const steps = options.steps ?? Array.from({ length: 20 }, (_, i) => i);
  const { height = 256, width = 256, images = 1, encoding = "q8", layers, seed = 7, self = false } = options;
  const {
    frame = { bos: true, places: 77 },
    run_steps = 20,
    tokens_known = true,
    nan = false,
    anatomy = true,
    flat = false,
  } = options;
  const tokens = token_list(words, tokens_known, frame);
  const small = 64 / Math.max(height, width);
  const preview =
    options.preview === false ? null : ([Math.round(height * small), Math.round(width * small)] as [number, number]);
  const mass: Manifest["mass"] = {};
  const kept = (layer: string, step: number) =>
    !options.without?.some((gone) => gone === layer || gone === `${layer}@${step}`);

  for (let image = 0; image < images; image++) {
    const keep = keeper(items, image, second);
    const cross = new CrossPacking(packer, keep, tokens, words, encoding);
    for (const step of steps) {
      const progress = (step + 1) / run_steps;
      const atlas: SectionHead[] = [];
      layers.forEach((info, nth) => {
        const own = nth + 100 * image + 1000 * (seed - 7);
        const broken = nan && nth === 0;
        const made = cross.layer(info, own, step, progress, {
          nan: broken,
          flat: flat && nth === 0,
          kept: kept(info.layer, step),
        });
        atlas.push(made.atlas);
        (mass[info.layer] ??= []).push(made.mass);
        if (self && kept(info.layer, step)) pack_self(packer, keep, info, own, step, progress, broken);
      });
      keep("atlas", { step }, atlas);
      cross.heads(step);
      if (preview) {
        const rgb = Float32Array.from(picture(preview[1], preview[0], progress));
        keep("preview", { step }, [packer.add("rgb", rgb, [...preview, 3], "u8")]);
      }
    }
    cross.ranges();
    if (anatomy && !options.without_anatomy) pack_anatomy(packer, keep, layers, frame.places, self ? steps.length : 0);
  }

  const final = options.picture === false ? new Uint8Array() : png(picture(width, height, 1), width, height);
  const pictures =
    options.picture === false ? [] : Array.from({ length: images }, () => [0, final.length] as [number, number]);
  const manifest: Manifest = {
    protocol: "attnscope/1",
    version: "0.1.0",
    title: "synthetic",
    prompt: options.prompt ?? (tokens_known ? words.join(" ").replaceAll("|", "") : null),
    negative_prompt: null,
    model: "synthetic",
    scheduler: "DDIM",
    guidance_scale: 7.5,
    seed,
    width,
    height,
    images: Array.from({ length: images }, (_, i) => String(i)),
    branches: ["cond"],
    pictures,
    preview,
    steps: steps.map((step) => ({ step, timestep: 951 - Math.round((950 * step) / run_steps), sigma: null })),
    run_steps,
    tokens,
    tokens_known,
    truncated: options.truncated ?? null,
    kinds: self ? ["cross", "self"] : ["cross"],
    layers: self ? with_self(layers) : layers,
    missing: options.missing ?? [],
    mass,
    anatomy,
    other: null,
  };
  return { manifest, final };
}

export function synthesise(options: Options): Synthetic {
  const packer = new Packer();
  const items: Items = {};
  const { manifest, final } = pack(options, packer, items, false);
  const other = options.other ? pack(options.other, packer, items, true) : null;
  manifest.other = other?.manifest ?? null;

  const step = manifest.steps.at(-1)?.step as number;
  const traits: Record<string, unknown> = { ...DEFAULTS, step, _manifest: manifest };
  const first_key = request("atlas", { step, image: 0, branch: "cond" }).id;
  const data = packer.buffer();
  const heads = items[first_key] ?? [];
  const parts = heads.map(({ offset, length }) => data.slice(offset, offset + length));
  const front = new Packer();
  const moved = heads.map((head, i) => ({ ...head, ...front.bytes(parts[i] as Uint8Array) }));
  traits._first = { items: [{ id: first_key, sections: moved }] };
  const all = new Packer();
  all.bytes(data); // first, so that the offsets of the items stay as they are
  const spot = (bytes: Uint8Array): [number, number] => {
    const { offset, length } = all.bytes(bytes);
    return [offset, length];
  };
  const buffers: Synthetic["buffers"] = { _picture: spot(final), _first_buffer: spot(front.buffer()) };
  if (other) buffers._other_picture = spot(other.final);
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
