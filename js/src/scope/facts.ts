/** What a manifest says of one capture, and what follows from it. */

import type { Rgb } from "../maps/colouring.ts";
import { OKABE_ITO, OTHER_RGB } from "../maps/luts.ts";
import { as_bytes } from "../wire/decode.ts";
import type { Kind, LayerInfo, Manifest } from "../wire/protocol.ts";
import { type Layout, lay_out } from "./layout.ts";
import { type Chip, chips, colour_slots, content, texts } from "./words.ts";

export interface Facts {
  manifest: Manifest;
  kinds: readonly Kind[];
  /** Captured layers by kind, in network order. */
  layers: Record<Kind, LayerInfo[]>;
  layouts: Record<Kind, Layout>;
  chips: Chip[];
  /** Words that compete in the strongest-word map. */
  contenders: Chip[];
  /** In the strongest-word map; undefined is "other". */
  colours: Map<Chip, Rgb | undefined>;
  pictures: Promise<void>[];
  /** Those of them that are decoded. */
  bitmaps: ImageBitmap[];
}

export function facts_of(manifest: Manifest, picture: unknown): Facts {
  const all = chips(manifest);
  const slots = colour_slots(manifest, all, OKABE_ITO.length);
  const words = content(all);
  const bitmaps: ImageBitmap[] = [];
  const of = (kind: Kind) => manifest.layers.filter((info) => info.kind === kind);
  const layers = { cross: of("cross"), self: of("self") };
  const kinds = (["cross", "self"] as const).filter((kind) => layers[kind].length);
  return {
    manifest,
    kinds: kinds.length ? kinds : ["cross"],
    layers,
    layouts: { cross: lay_out(manifest, "cross"), self: lay_out(manifest, "self") },
    chips: all,
    contenders: words.length ? words : all,
    colours: new Map(all.map((chip, i) => [chip, OKABE_ITO[slots[i] as number]])),
    pictures: read_pictures(manifest, as_bytes(picture), bitmaps),
    bitmaps,
  };
}

/** A word, or the pieces of one that is not whole. */
export const word_name = ({ chips, manifest }: Facts, columns: readonly number[]): string =>
  chips.find((chip) => chip.columns.join() === columns.join())?.text ?? texts(manifest, columns).join(" ");

/** `‘red’ + ‘circle’`; empty where no word is meant. */
export const word_names = (facts: Facts, words: readonly (readonly number[])[]): string =>
  words.map((columns) => `‘${word_name(facts, columns)}’`).join(" + ");

/** A colour for each of some words: its own among the strongest, else one that none of them has. */
export function hues_of({ chips, colours }: Facts, words: readonly (readonly number[])[]): Rgb[] {
  const own = words.map((columns) => {
    const chip = chips.find((each) => each.columns.join() === columns.join());
    return chip && colours.get(chip);
  });
  const free = OKABE_ITO.filter((rgb) => !own.includes(rgb));
  return own.map((rgb) => rgb ?? free.shift() ?? OTHER_RGB);
}

function read_pictures({ pictures }: Manifest, bytes: Uint8Array, bitmaps: ImageBitmap[]): Promise<void>[] {
  return pictures.map(async ([offset, length], i) => {
    if (length === 0 || offset + length > bytes.length) return;
    bitmaps[i] = await createImageBitmap(new Blob([bytes.slice(offset, offset + length)], { type: "image/png" }));
  });
}
