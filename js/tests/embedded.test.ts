import { expect, it } from "vitest";
import { open_section, values } from "../src/wire/decode.ts";
import { EmbeddedModel } from "../src/wire/embedded.ts";
import { type PutMessage, request, type SectionHead } from "../src/wire/protocol.ts";
import { Packer } from "./encode.ts";

const at = { step: 3, image: 0, branch: "cond" };

/** Two layers of odd, different sizes: 3 and 2 heads, 1 token, grids of 3x5 and 1x3. */
function model(layers = ["up.1.0", "mid.0"]): EmbeddedModel {
  const packer = new Packer();
  const heads = { "up.1.0": [3, 1, 3, 5], "mid.0": [2, 1, 1, 3] } as Record<string, number[]>;
  const items: Record<string, SectionHead[]> = {};
  for (const layer of layers) {
    const shape = heads[layer] as number[];
    const maps = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (i % 7) / 7);
    items[request("layer", { ...at, layer }).id] = [packer.add("maps", maps, shape, "f32")];
  }
  const manifest = { layers: ["up.1.0", "mid.0"].map((layer) => ({ layer })) };
  return new EmbeddedModel({ _manifest: manifest }, { buffers: {}, items }, packer.buffer());
}

async function ask(from: EmbeddedModel, item: ReturnType<typeof request>) {
  const heard: [Record<string, unknown>, Uint8Array[]][] = [];
  from.on("msg:custom", (message, buffers) => heard.push([message, buffers] as never));
  from.send({ type: "get", gen: 1, items: [item] });
  await Promise.resolve();
  return heard;
}

it("takes an atlas from the heads of every layer", async () => {
  const [[put, [buffer]]] = (await ask(model(), request("atlas", at))) as unknown as [[PutMessage, [Uint8Array]]];
  const sections = put.items[0]?.sections as SectionHead[];
  expect(sections.map(({ name, shape }) => [name, shape])).toEqual([
    ["up.1.0", [1, 3, 5]],
    ["mid.0", [1, 1, 3]],
  ]);
  expect(sections.every(({ offset }) => offset % 8 === 0)).toBe(true);
  const [fine, coarse] = sections.map((head) => open_section(head, buffer));
  expect(fine?.eight_bit).toBe(true);
  const mean = (cell: number, cells: number, heads: number) =>
    Array.from({ length: heads }, (_, head) => ((head * cells + cell) % 7) / 7).reduce((a, b) => a + b) / heads;
  expect(fine && [...values(fine)].map((v) => v.toFixed(5))).toEqual(
    Array.from({ length: 15 }, (_, cell) => mean(cell, 15, 3).toFixed(5)),
  );
  expect(coarse && [...values(coarse)].map((v) => v.toFixed(5))).toEqual(
    Array.from({ length: 3 }, (_, cell) => mean(cell, 3, 2).toFixed(5)),
  );
});

it("says what the file does not hold", async () => {
  const [[atlas]] = (await ask(model(["mid.0"]), request("atlas", at))) as unknown as [
    [{ type: string; text: string }],
  ];
  expect(atlas.type).toBe("err");
  expect(atlas.text).toContain("does not hold the atlas of step 3");
  const [[layer]] = (await ask(model(), request("layer", { ...at, step: 4, layer: "mid.0" }))) as unknown as [
    [{ text: string }],
  ];
  expect(layer.text).toContain("does not hold the layer mid.0 of step 4");
});
