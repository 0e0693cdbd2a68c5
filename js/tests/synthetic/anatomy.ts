/** A Transformer2DModel step by step, as attnscope.anatomy lists it. */

import type { Anatomy, AnatomyRow, LayerInfo, Shapes } from "../../src/wire/protocol.ts";

const TEXT_WIDTH = 768;

/** Of the transformer in which these layers, one a block, stand; with the norms of so many steps. */
export function anatomy_of(blocks: LayerInfo[], places: number, measured: number): Anatomy {
  const first = blocks[0] as LayerInfo;
  const root = first.module.replace(/\.transformer_blocks.*$/, "");
  const { height, width, heads, head_width } = first;
  const channels = heads * head_width;
  const grid = [1, channels, height, width];
  const pixels = [1, height * width, channels];
  const text = [1, places, TEXT_WIDTH];
  const rows: AnatomyRow[] = [];

  /** Writes down the steps of one part; a name that begins with a dot is that of a module in it. */
  const part = (name: string, module: string, layer: string) => {
    return (operation: string, definition: string, input: Shapes, output: Shapes, of = "") =>
      rows.push({ layer, part: name, operation, module: module + of, definition, input, output });
  };

  const attention = (name: "attn1" | "attn2", module: string, layer: string) => {
    const keys = name === "attn1" ? pixels : [1, places, channels];
    const source = name === "attn1" ? pixels : text;
    const split = ([, count]: number[]) => [heads, count as number, head_width];
    const scores = [heads, pixels[1] as number, keys[1] as number];
    const [to_q, to_kv] = [`Linear(${channels} -> ${channels})`, `Linear(${source[2]} -> ${channels})`];
    const [q, k] = [split(pixels), split(keys)];
    const stage = part(name, module, layer);
    stage(
      "query, key, value",
      `to_q: ${to_q}, to_k: ${to_kv}, to_v: ${to_kv}`,
      name === "attn1" ? pixels : [pixels, text],
      [pixels, keys, keys],
    );
    stage("split heads", "reshape & permute", [pixels, keys, keys], [q, k, k]);
    stage("attention", "transpose & baddbmm & softmax & bmm", [q, k, k], q, ".processor");
    stage("merge heads", "reshape & permute", q, pixels);
    stage("to_out", to_q, pixels, pixels, ".to_out.0");
    const step = part(`${name}.processor`, module, layer);
    step("keep residual", "residual = hidden_states", pixels, pixels, ".processor");
    step("to_q", to_q, pixels, pixels, ".to_q");
    if (name === "attn2") step("norm_encoder_hidden_states", "off: norm_cross=None", text, text, ".processor");
    step("to_k", to_kv, source, keys, ".to_k");
    step("to_v", to_kv, source, keys, ".to_v");
    for (const from of [pixels, keys, keys])
      step("head_to_batch_dim", "reshape & permute", from, split(from), ".processor");
    step("get_attention_scores", "transpose & baddbmm & softmax", [q, k], scores, ".processor");
    const score = part(`${name}.get_attention_scores`, `${module}.processor`, layer);
    const turned = [heads, head_width, keys[1] as number];
    score("reshape", "transpose", k, turned);
    score("baddbmm", "baddbmm", [q, turned], scores);
    score("softmax", "softmax", scores, scores);
    step("bmm", "bmm", [scores, k], q, ".processor");
    step("batch_to_head_dim", "reshape & permute", q, pixels, ".processor");
    step("to_out.0", to_q, pixels, pixels, ".to_out.0");
    step("to_out.1", "Dropout(0)", pixels, pixels, ".to_out.1");
    step("add residual", "off: residual_connection=False", [pixels, pixels], pixels, ".processor");
  };

  const feed_forward = (module: string, layer: string) => {
    const wide = [1, pixels[1] as number, 4 * channels];
    const twice = [1, pixels[1] as number, 8 * channels];
    const net = part("ff", module, layer);
    const gate = part("GEGLU", `${module}.net.0`, layer);
    net("net.0", "GEGLU", pixels, wide, ".net.0");
    gate("proj", `Linear(${channels} -> ${8 * channels})`, pixels, twice, ".proj");
    gate("chunk", "chunk", twice, [wide, wide]);
    gate("gelu", "gelu", wide, wide);
    gate("mul", "*", [wide, wide], wide);
    net("net.1", "Dropout(0)", wide, wide, ".net.1");
    net("net.2", `Linear(${4 * channels} -> ${channels})`, wide, pixels, ".net.2");
  };

  const outer = part("Transformer2DModel", root, first.layer);
  const conv = `Conv2d(${channels} -> ${channels})`;
  outer("keep residual", "residual = hidden_states", grid, grid);
  outer("norm", `GroupNorm(32, ${channels})`, grid, grid, ".norm");
  outer("proj_in", conv, grid, grid, ".proj_in");
  outer("reshape", "permute & reshape", grid, pixels);
  for (const [i, { layer, module }] of blocks.entries()) {
    const name = `.transformer_blocks.${i}`;
    const step = part("BasicTransformerBlock", module.replace(/\.attn\d$/, ""), layer);
    const norm = (n: number) => step(`norm${n}`, `LayerNorm(${channels})`, pixels, pixels, `.norm${n}`);
    outer(`transformer_blocks.${i}`, "BasicTransformerBlock", [pixels, text], pixels, name);
    for (const [n, attn] of (["attn1", "attn2"] as const).entries()) {
      norm(n + 1);
      const input = attn === "attn1" ? pixels : [pixels, text];
      step(attn, `Attention(${heads} heads of ${head_width})`, input, pixels, `.${attn}`);
      attention(attn, `${root}${name}.${attn}`, layer);
      step("add residual", "+", [pixels, pixels], pixels);
    }
    norm(3);
    step("ff", "FeedForward", pixels, pixels, ".ff");
    feed_forward(`${root}${name}.ff`, layer);
    step("add residual", "+", [pixels, pixels], pixels);
  }
  outer("reshape", "reshape & permute", pixels, grid);
  outer("proj_out", conv, grid, grid, ".proj_out");
  outer("add residual", "+", [grid, grid], grid);
  const norms = (first: number) =>
    Array.from({ length: measured }, (_, step) => Number((first * (1 + step / 7)).toFixed(3)));
  const measures = measured ? { attn1: norms(0.9), attn2: norms(0.31), ff: norms(1.7) } : null;
  return { rows, measures };
}
