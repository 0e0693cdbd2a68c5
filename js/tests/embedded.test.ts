import { expect, it } from "vitest";
import { make } from "../src/maps/making.ts";
import { open_section, values } from "../src/wire/decode.ts";
import { EmbeddedModel } from "../src/wire/embedded.ts";
import { type PutMessage, request, type SectionHead } from "../src/wire/protocol.ts";
import { Packer } from "./encode.ts";

const at = { step: 3, image: 0, branch: "cond" };
const other = { ...at, capture: 1 } as const;

/** Two layers of odd, different sizes: 3 and 2 heads, 1 token, grids of 3x5 and 1x3; in the second capture only one. */
function model(layers = ["up.1.0", "mid.0"]): EmbeddedModel {
  const packer = new Packer();
  const heads = { "up.1.0": [3, 1, 3, 5], "mid.0": [2, 1, 1, 3] } as Record<string, number[]>;
  const items: Record<string, SectionHead[]> = {};
  for (const layer of layers) {
    const shape = heads[layer] as number[];
    const maps = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (i % 7) / 7);
    const head = packer.add("maps", maps, shape, "f32");
    items[request("layer", { ...at, layer }).id] = [{ ...head, eight_bit: layer === "up.1.0" }];
    if (layer === "mid.0") items[request("layer", { ...other, layer }).id] = [head];
  }
  // Queries and keys of two heads of width 1 on a grid of 1x3; all scores are 0, but for one key's in the second head.
  const key = [Float32Array.of(0, 0, 0), Float32Array.of(0, Math.log(2), 0)];
  const lse = [3, 3, 3, 4, 4, 4].map(Math.log);
  for (const part of [0, 1])
    items[request("qk", { ...at, layer: "mid.0", part }).id] = [
      packer.add("query", Float32Array.of(1, 1, 1), [3, 1], "f32"),
      packer.add("key", key[part] as Float32Array, [3, 1], "f32"),
      packer.add("lse", Float32Array.from(lse.slice(3 * part, 3 * part + 3)), [3], "f32"),
      packer.add("scale", Float32Array.of(1), [1], "f32"),
    ];
  const infos = ["up.1.0", "mid.0"].map((layer) => ({ layer, kind: "cross" }));
  const self = { layer: "mid.0", kind: "self", heads: 2, height: 1, width: 3 };
  const manifest = { layers: [...infos, self], other: { layers: infos.slice(1) } };
  return new EmbeddedModel({ _manifest: manifest }, { buffers: {}, items }, packer.buffer(), make);
}

async function ask(from: EmbeddedModel, item: ReturnType<typeof request>) {
  const heard: [Record<string, unknown>, Uint8Array[]][] = [];
  from.on("msg:custom", (message, buffers) => heard.push([message, buffers] as never));
  from.send({ type: "get", gen: 1, items: [item] });
  await Promise.resolve();
  return heard;
}

async function put(from: EmbeddedModel, item: ReturnType<typeof request>) {
  const [[message, [buffer]]] = (await ask(from, item)) as unknown as [[PutMessage, [Uint8Array]]];
  const [answer] = message.items;
  expect(answer?.id).toBe(item.id);
  const sections = answer?.sections as SectionHead[];
  expect(sections.every(({ offset }) => offset % 8 === 0)).toBe(true);
  return sections.map((head) => open_section(head, buffer));
}

async function refusal(from: EmbeddedModel, item: ReturnType<typeof request>): Promise<string> {
  const [[message]] = (await ask(from, item)) as unknown as [[{ type: string; id: string; text: string }]];
  expect([message.type, message.id]).toEqual(["err", item.id]);
  return message.text;
}

it("takes an atlas from the heads of every layer", async () => {
  const sections = await put(model(), request("atlas", at));
  expect(sections.map(({ name, shape, eight_bit }) => [name, shape, eight_bit])).toEqual([
    ["up.1.0", [1, 3, 5], true],
    ["mid.0", [1, 1, 3], false],
  ]);
  const [fine, coarse] = sections;
  const mean = (cell: number, cells: number, heads: number) =>
    Array.from({ length: heads }, (_, head) => ((head * cells + cell) % 7) / 7).reduce((a, b) => a + b) / heads;
  expect(fine && [...values(fine)].map((v) => v.toFixed(5))).toEqual(
    Array.from({ length: 15 }, (_, cell) => mean(cell, 15, 3).toFixed(5)),
  );
  expect(coarse && [...values(coarse)].map((v) => v.toFixed(5))).toEqual(
    Array.from({ length: 3 }, (_, cell) => mean(cell, 3, 2).toFixed(5)),
  );
});

it("takes an atlas of the second capture from its own layers", async () => {
  expect((await put(model(), request("atlas", other))).map(({ name }) => name)).toEqual(["mid.0"]);
});

it("takes rows and columns from the queries and keys of every head", async () => {
  const [row, column] = await put(model(), request("rows", { ...at, layer: "mid.0", part: 1 }));
  expect([row?.name, row?.shape, column?.name]).toEqual(["row", [2, 1, 3], "column"]);
  const close = (got: Float32Array, want: number[]) => want.forEach((v, i) => expect(got[i]).toBeCloseTo(v, 6));
  close(values(row as never), [1 / 3, 1 / 3, 1 / 3, 1 / 4, 1 / 2, 1 / 4]);
  close(values(column as never), [1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2, 1 / 2]);
});

it("says what the file does not hold", async () => {
  expect(await refusal(model(["mid.0"]), request("atlas", at))).toContain("does not hold the atlas of step 3:");
  const layer = "mid.0";
  expect(await refusal(model(), request("layer", { ...at, step: 4, layer }))).toContain("the layer mid.0 of step 4:");
  const rows = request("rows", { ...at, layer, part: 3 });
  expect(await refusal(model(), rows)).toContain("the rows of mid.0 cell 3 of step 3:");
  const keys = request("qk", { ...other, layer, part: 1 });
  expect(await refusal(model(), keys)).toContain(
    "the queries and keys of mid.0 head 1 of step 3 of the second capture:",
  );
});
