import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { make } from "../src/maps/making.ts";
import { open_qk, row_of } from "../src/maps/selfattention.ts";
import { match_words } from "../src/scope/matching.ts";
import { open_section, values } from "../src/wire/decode.ts";
import { type Anatomy, type Request, request } from "../src/wire/protocol.ts";
import { synthetic } from "./captures.ts";
import { anatomy_of } from "./synthetic/anatomy.ts";
import { sdxl } from "./synthetic/layers.ts";
import { shapes_at } from "./synthetic/picture.ts";

const at = { step: 10, image: 0, branch: "cond" };

function opened(name: string) {
  const { items, data, manifest, buffers } = synthetic(name);
  const bytes = new Uint8Array(gunzipSync(Buffer.from(data, "base64")));
  const packet = ({ id }: Request) => {
    const heads = items[id];
    return heads ? new Map(heads.map((head) => [head.name, open_section(head, bytes)])) : null;
  };
  const must = (kind: Request["kind"], more: object) => {
    const found = packet(request(kind, { ...at, ...more }));
    if (!found) throw new Error(`no ${kind} of ${JSON.stringify(more)}`);
    return found;
  };
  return { items, manifest, buffers, packet, must };
}

describe("self-attention that never ran", () => {
  const { must, manifest, packet } = opened("both");

  it("has rows that sum to 1 and look at the thing that their pixel is of", () => {
    const [size, layer] = [16, "up.3.1"];
    const cells = Array.from({ length: size * size }, (_, i) => i);
    const circle = cells.filter((i) => shapes_at(i % size, Math.floor(i / size), size, size)[0] > 0.9);
    for (let part = 0; part < 4; part++) {
      const row = row_of(open_qk(must("qk", { layer, part })), circle[0] as number);
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      const on = circle.reduce((sum, i) => sum + (row[i] as number), 0);
      expect(on).toBeGreaterThan((2 * circle.length) / cells.length);
    }
  });

  it("is received as much as is given", () => {
    const received = must("received", { layer: "up.2.0" }).get("maps");
    expect(received?.shape).toEqual([4, 8, 8]);
    const sum = received && values(received).reduce((a, b) => a + b);
    expect(sum).toBeCloseTo(4 * 64, 0);
  });

  it("has rows of small grids, the same that queries and keys give", () => {
    const item = request("rows", { ...at, layer: "mid.0", part: 3 });
    const made = make(item, { manifest, packet });
    const held = packet(item);
    expect(held?.get("row")?.shape).toEqual([4, 2, 2]);
    for (const { name, shape, values: list } of made ?? []) {
      const section = held?.get(name);
      expect(section?.shape).toEqual(shape);
      expect(section && [...values(section)]).toEqual([...list]);
    }
    expect(packet(request("rows", { ...at, layer: "up.3.1", part: 3 }))).toBeNull();
  });

  it("is listed beside the cross-attention of the same label", () => {
    expect(manifest.kinds).toEqual(["cross", "self"]);
    const mid = manifest.layers.filter(({ layer }) => layer === "mid.0");
    expect(mid.map(({ kind, module, stored }) => [kind, module.split(".").at(-1), stored])).toEqual([
      ["self", "attn1", "float32"],
      ["cross", "attn2", undefined],
    ]);
    expect(Object.keys(manifest.mass).length).toBe(16);
  });
});

it("ranges hold percentiles of every head and of their mean", () => {
  const { must } = opened("both");
  const range = must("range", { layer: "mid.0" });
  const [max, p1, p99] = ["max", "p1", "p99"].map((name) => {
    const section = range.get(name);
    expect(section?.shape).toEqual([5, 11]);
    return section ? values(section) : [];
  });
  max?.forEach((most, i) => {
    expect(p1?.[i]).toBeLessThanOrEqual(p99?.[i] as number);
    expect(p99?.[i]).toBeLessThanOrEqual(most);
  });
});

describe("anatomy", () => {
  it("lists one transformer, block by block", () => {
    const blocks = sdxl(10).filter(({ layer }) => layer.startsWith("down.2.0."));
    const { rows, measures } = anatomy_of(blocks, 77, 0);
    expect(measures).toBeNull();
    const named = rows.filter(({ operation }) => operation.startsWith("transformer_blocks."));
    expect(named.map(({ operation }) => operation.split(".")[1])).toEqual([..."0123456789"]);
    const scores = rows.filter(({ layer, operation }) => layer === "down.2.0.7" && operation === "softmax");
    expect(scores.map(({ output }) => output)).toEqual([
      [20, 256, 256],
      [20, 256, 77],
    ]);
    expect(rows[0]?.output).toEqual([1, 320, 16, 16]);
  });
  it("is there for every layer", () => {
    const { must } = opened("both");
    const table = must("anatomy", { layer: "up.1.2" }).get("table");
    const { rows } = JSON.parse(new TextDecoder().decode(table?.bytes)) as Anatomy;
    expect(new Set(rows.map(({ layer }) => layer))).toEqual(new Set(["up.1.2"]));
    expect(rows.length).toBe(67); // as many as attnscope.anatomy lists
  });
});

it("a second capture has items and words of its own", () => {
  const { manifest, items, buffers, must } = opened("pair");
  expect(manifest.other?.layers).toEqual(manifest.layers);
  const [first, second] = [must("atlas", {}), must("atlas", { capture: 1 })];
  expect([first.get("mid.0")?.shape[0], second.get("mid.0")?.shape[0]]).toEqual([11, 13]);
  const ids = Object.keys(items);
  const own = ids.filter((id) => !id.startsWith("1:"));
  expect(own.map((id) => `1:${id}`)).toEqual(ids.filter((id) => id.startsWith("1:")));
  expect(Object.keys(buffers)).toContain("_other_picture");
  // red, circle, the first "a" (position 1), blue, square in two pieces
  const matches = manifest.other ? match_words(manifest, manifest.other) : new Map();
  expect([2, 3, 1, 6, 7, 8].map((position) => matches.get(position))).toEqual([[6], [7], [5], [2], [3], [3]]);
  expect(matches.has(4)).toBe(false);
});

it("a long prompt has no beginning, and its padding in one", () => {
  const { tokens } = opened("long").manifest;
  expect([tokens.length, tokens[0]?.kind, tokens.at(-2)?.kind, tokens.at(-1)?.count]).toEqual([
    151,
    "prompt",
    "eos",
    106,
  ]);
});
