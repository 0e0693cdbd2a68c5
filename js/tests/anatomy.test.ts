import { describe, expect, it } from "vitest";
import { adds, lanes, type Step, several, shapes_text, take_apart } from "../src/scope/anatomy.ts";
import { blocks_of } from "../src/scope/layout.ts";
import { anatomy_of } from "./synthetic/anatomy.ts";
import { sd15, with_self } from "./synthetic/layers.ts";
import { sdxl, synthesise } from "./synthetic.ts";

const names = (steps: readonly Step[]) => steps.map(({ row }) => row.operation);
const layer = (all: ReturnType<typeof sd15>, name: string) => all.filter((info) => info.layer.startsWith(name));
const opened = () =>
  take_apart(anatomy_of(layer(sd15(24, 40, 3), "up.2.1"), 77, 0).rows, "up_blocks.2.attentions.1.transformer_blocks.0");

describe("a transformer taken apart", () => {
  it("has the steps of the article's tables, in their order", () => {
    const { before, block, after } = opened();
    expect(names(before)).toEqual(["keep residual", "norm", "proj_in", "reshape"]);
    expect(block.map(names)).toEqual([
      ["norm1", "attn1", "add residual"],
      ["norm2", "attn2", "add residual"],
      ["norm3", "ff", "add residual"],
    ]);
    expect(names(after)).toEqual(["reshape", "proj_out", "add residual"]);
    expect([...block, after].every(adds)).toBe(true);
  });

  it("opens an attention into its stages, and these into what the processor does", () => {
    const attn2 = opened().block[1]?.[1] as Step;
    expect(names(attn2.inside)).toEqual(["query, key, value", "split heads", "attention", "merge heads", "to_out"]);
    const processor = attn2.inside[2]?.inside as Step[];
    expect(names(processor).slice(0, 5)).toEqual([
      "keep residual",
      "to_q",
      "norm_encoder_hidden_states",
      "to_k",
      "to_v",
    ]);
    const scores = processor.find(({ row }) => row.operation === "get_attention_scores") as Step;
    expect(names(scores.inside)).toEqual(["reshape", "baddbmm", "softmax"]);
    const ff = opened().block[2]?.[1] as Step;
    expect(names(ff.inside)).toEqual(["net.0", "net.1", "net.2"]);
    expect(names(ff.inside[0]?.inside as Step[])).toEqual(["proj", "chunk", "gelu", "mul"]);
  });

  it("finds one block of several, and what is around them once", () => {
    const blocks = layer(sdxl(7), "mid.0");
    const { rows } = anatomy_of(blocks, 77, 0);
    const root = "mid_block.attentions.0";
    const { before, block, after } = take_apart(rows, `${root}.transformer_blocks.5`);
    expect(block.flat().every(({ row }) => row.layer === "mid.0.5")).toBe(true);
    expect([before.length, block.flat().length, after.length]).toEqual([4, 9, 3]);
    // A table of one block has calls of the others without their steps.
    const one = rows.filter((row) => row.part === "Transformer2DModel" || row.layer === "mid.0.5");
    expect(take_apart(one, `${root}.transformer_blocks.5`)).toEqual({ before, block, after });
    expect(take_apart(one, `${root}.transformer_blocks.1`).block).toEqual([]);
    expect(take_apart([], "").block).toEqual([]);
  });

  it("has keys and values of the text in attn2, and none where they are made in one", () => {
    const attn2 = opened().block[1]?.[1] as Step;
    expect(lanes(attn2.inside)).toEqual([
      { name: "Q", definition: "Linear(48 -> 48)", shape: [1, 240, 48], split: [3, 240, 16] },
      { name: "K", definition: "Linear(768 -> 48)", shape: [1, 77, 48], split: [3, 77, 16] },
      { name: "V", definition: "Linear(768 -> 48)", shape: [1, 77, 48], split: [3, 77, 16] },
    ]);
    const [made, ...rest] = attn2.inside as [Step, ...Step[]];
    expect(lanes([{ ...made, row: { ...made.row, output: [1, 240, 144] } }, ...rest])).toBeNull();
    expect(lanes(rest)).toBeNull();
  });

  it("writes shapes as the article does, equal ones once", () => {
    expect(shapes_text([1, 4096, 320])).toBe("[1, 4096, 320]");
    expect(
      shapes_text([
        [2, 3],
        [2, 3],
      ]),
    ).toBe("2 × [2, 3]");
    expect(shapes_text([[2, 3], [5]])).toBe("[2, 3], [5]");
    expect(several([7, 2])).toEqual([[7, 2]]);
  });
});

describe("blocks of a transformer", () => {
  const few = (layers: ReturnType<typeof sdxl>) => layers.map((info) => ({ ...info, heads: 1, single_heads: 1 }));
  const { manifest } = synthesise({ layers: few(layer(sdxl(3), "up")), steps: [0], preview: false, picture: false });

  it("are those of one site, in order, with both attentions", () => {
    const layers = with_self(manifest.layers).reverse();
    const at = layers.find((info) => info.layer === "up.0.1.2") as (typeof layers)[number];
    const blocks = blocks_of({ ...manifest, layers }, at);
    expect(blocks.map(({ layer: name, depth }) => [name, depth])).toEqual([
      ["up.0.1.0", 0],
      ["up.0.1.1", 1],
      ["up.0.1.2", 2],
    ]);
    expect(blocks.map(({ cross, self }) => [cross?.kind, self?.kind])).toEqual(Array(3).fill(["cross", "self"]));
  });

  it("are there too where one of them was captured as one kind only", () => {
    const layers = with_self(manifest.layers).filter(({ layer: name, kind }) => name !== "up.0.1.1" || kind === "self");
    const at = layers.find((info) => info.layer === "up.0.1.0") as (typeof layers)[number];
    expect(blocks_of({ ...manifest, layers }, at)[1]?.cross).toBeUndefined();
  });
});
