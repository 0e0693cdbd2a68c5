import { describe, expect, it } from "vitest";
import { colour, colour_winners, darken, extent } from "../src/maps/colouring.ts";
import {
  atlas_layer,
  atlas_mean,
  cell_at,
  distribution,
  layer_head,
  NO_TOKEN,
  strongest,
  token_map,
} from "../src/maps/fields.ts";
import { COLOUR_MAPS, lut, NAN_RGB, not_a_number, OKABE_ITO, OTHER_RGB, pack } from "../src/maps/luts.ts";
import { packet } from "./packets.ts";

const close = (got: ArrayLike<number>, want: number[]) =>
  Array.from(got).forEach((v, i) => expect(v).toBeCloseTo(want[i] as number, 5));

describe("colour tables", () => {
  it("begin and end where matplotlib's do", () => {
    expect(lut("viridis")[0]).toBe(pack(68, 1, 84));
    expect(lut("viridis")[255]).toBe(pack(253, 231, 37));
    expect(lut("magma")[0]).toBe(pack(0, 0, 4));
    expect(lut("gray")[128]).toBe(pack(128, 128, 128));
  });
  it("have 256 opaque entries, none of which is the colour of NaN", () => {
    for (const name of COLOUR_MAPS) {
      const table = lut(name);
      expect(table.length).toBe(256);
      expect(table.every((word) => word >>> 24 === 255 && word !== pack(...NAN_RGB))).toBe(true);
    }
    expect(new Set(OKABE_ITO.map((rgb) => rgb.join())).size).toBe(OKABE_ITO.length);
  });
});

describe("colours", () => {
  it("knows extent, NaN and constants", () => {
    expect(extent(Float32Array.of(0.25, 0.5, Number.NaN))).toEqual({ hi: 0.5, nan: 1, constant: null });
    expect(extent(Float32Array.of(0.25, 0.25))).toEqual({ hi: 0.25, nan: 0, constant: 0.25 });
    expect(extent(Float32Array.of(0.25))).toEqual({ hi: 0.25, nan: 0, constant: null });
    expect(extent(Float32Array.of(Number.NaN, Number.NaN))).toEqual({ hi: 0, nan: 2, constant: null });
  });
  it("paints ends, middle and NaN", () => {
    const pixels = new Uint32Array(4);
    const table = lut("gray");
    colour(Float32Array.of(0, 0.5, 1, Number.NaN), table, { lo: 0, hi: 1 }, "linear", pixels);
    expect([...pixels]).toEqual([table[0], table[128], table[255], not_a_number(3)]);
    darken(Float32Array.of(0, 0.5, 1, Number.NaN), { lo: 0, hi: 0.5 }, "linear", pixels);
    expect([...pixels]).toEqual([pack(0, 0, 0, 255), pack(0, 0, 0, 0), pack(0, 0, 0, 0), not_a_number(3)]);
    colour_winners(Uint8Array.of(0, 1, NO_TOKEN, 0), [[1, 2, 3], undefined], pixels);
    expect([...pixels]).toEqual([pack(1, 2, 3), pack(...OTHER_RGB), not_a_number(2), pack(1, 2, 3)]);
  });
});

describe("cells that are not a number", () => {
  it("are striped, in colours of no table", () => {
    expect(not_a_number(4)).toBe(pack(...NAN_RGB));
    expect(not_a_number(5)).not.toBe(not_a_number(4));
    for (const name of COLOUR_MAPS) for (const cell of [0, 1]) expect(lut(name)).not.toContain(not_a_number(cell));
  });
});

describe("maps", () => {
  // two heads, three tokens, one row of two cells
  const layer = packet(["maps", [0.1, 0.2, 0.3, 0.3, 0.6, 0.5, 0.3, 0.4, 0.5, 0.1, 0.2, 0.5], [2, 3, 1, 2]]);

  it("take one head or the mean, and sum tokens", () => {
    const head = layer_head(layer, 1);
    if (!head) throw new Error("no head");
    close(token_map(head, [0]), [0.3, 0.4]);
    close(token_map(head, [0, 2]), [0.5, 0.9]);
    const mean = layer_head(layer, "mean");
    if (!mean) throw new Error("no mean");
    close(token_map(mean, [1]), [0.4, 0.2]);
    expect(layer_head(layer, "mean")).toBe(mean); // computed once
    expect(layer_head(layer, 2)).toBeNull();
  });

  it("give a distribution that sums to 1 at a pixel and over all", () => {
    const head = layer_head(layer, 0);
    if (!head) throw new Error("no head");
    const row = new Float32Array(3);
    close(distribution(head, [0.9, 0.5], row), [0.2, 0.3, 0.5]);
    close(distribution(head, null, row), [0.15, 0.3, 0.55]);
    expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  });

  it("find the strongest of some tokens; the first wins a tie, NaN wins nothing", () => {
    const head = layer_head(layer, 0);
    if (!head) throw new Error("no head");
    const words = (...each: number[][]) => each.map((columns) => ({ columns }));
    expect([...strongest(head, words([0], [1]))]).toEqual([1, 1]);
    expect([...strongest(head, words([1], [0]))]).toEqual([0, 0]);
    // two pieces, each weaker than the other word
    const pieces = layer_head(packet(["maps", [0.3, 0.3, 0.2, 0.2, 0.2, 0], [1, 3, 1, 2]]), 0);
    expect(pieces && [...strongest(pieces, words([0], [1, 2]))]).toEqual([1, 0]);
    const odd = layer_head(packet(["maps", [Number.NaN, 0.2, 0.3, 0.2], [1, 2, 1, 2]]), 0);
    if (!odd) throw new Error("no head");
    expect([...strongest(odd, words([0], [1]))]).toEqual([NO_TOKEN, 0]);
  });

  it("bring layers of an atlas onto the finest grid by nearest cell", () => {
    const atlas = packet(["coarse", [1, 2, 3, 4], [1, 2, 2]], ["fine", new Array(24).fill(0), [1, 4, 6]]);
    const mean = atlas_mean(atlas, ["coarse", "fine", "absent"]);
    if (!mean) throw new Error("no mean");
    expect([mean.height, mean.width]).toEqual([4, 6]);
    close(mean.data.subarray(0, 6), [0.5, 0.5, 0.5, 1, 1, 1]);
    close(mean.data.subarray(18, 24), [1.5, 1.5, 1.5, 2, 2, 2]);
    const gap = packet(["seen", [1, 2], [1, 1, 2]], ["unseen", [Number.NaN, Number.NaN], [1, 1, 2]]);
    close(atlas_mean(gap, ["seen", "unseen"])?.data ?? [], [1, 2]);
    expect([atlas_mean(gap, ["seen", "unseen"])?.layers, mean.layers]).toEqual([1, 2]);
    expect(atlas_layer(atlas, "absent")).toBeNull();
    expect(atlas_mean(atlas, ["absent"])).toBeNull();
  });

  it("finds the cell under a point, edges included", () => {
    const grid = { height: 5, width: 7 };
    expect(cell_at(grid, 0, 0)).toEqual([0, 0]);
    expect(cell_at(grid, 1, 1)).toEqual([4, 6]);
    expect(cell_at(grid, 0.5, 0.5)).toEqual([2, 3]);
  });
});
