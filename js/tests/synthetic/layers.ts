/** Layers where those of real models are. */

import type { LayerInfo } from "../../src/wire/protocol.ts";

export const HEAD_WIDTH = 16;

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
    head_width: HEAD_WIDTH,
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

/** SDXL's places; `deep` blocks where the real one has ten, and `side` cells where a picture of 1024 has 64. */
export function sdxl(deep = 4, side = 32): LayerInfo[] {
  const out: LayerInfo[] = [];
  const stack = (place: string, block: number | null, i: number, size: number, heads: number, depth: number) => {
    for (let d = 0; d < depth; d++) out.push(layer(place, block, i, size, size, heads, d));
  };
  for (const i of [0, 1]) stack("down", 1, i, side, 10, 2);
  for (const i of [0, 1]) stack("down", 2, i, side / 2, 20, deep);
  stack("mid", null, 0, side / 2, 20, deep);
  for (const i of [0, 1, 2]) stack("up", 0, i, side / 2, 20, deep);
  for (const i of [0, 1, 2]) stack("up", 1, i, side, 10, 2);
  return out;
}

export const tiny = (): LayerInfo[] => [
  layer("down", 0, 0, 8, 8, 2),
  layer("down", 0, 1, 8, 8, 2),
  layer("up", 1, 0, 8, 8, 2),
  layer("up", 1, 1, 8, 8, 2),
  layer("up", 1, 2, 8, 8, 2),
];

/** The self-attention of the same blocks, before the cross-attention of each as in the model. */
export const with_self = (layers: LayerInfo[]): LayerInfo[] =>
  layers.flatMap((info) => [
    { ...info, kind: "self", module: info.module.replace(/attn2$/, "attn1"), stored: "float32" },
    info,
  ]);
