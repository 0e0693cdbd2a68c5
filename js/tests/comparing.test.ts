import { describe, expect, it } from "vitest";
import {
  block_mean,
  centroid,
  centroid_shift,
  correlation,
  difference,
  jensen_shannon,
  on_coarser,
} from "../src/maps/compare.ts";
import { colour_difference, DIVERGING, diverging, magnitude } from "../src/maps/diverging.ts";
import { mix_hues } from "../src/maps/hues.ts";
import { NAN_RGB, not_a_number, pack } from "../src/maps/luts.ts";

const NAN = Number.NaN;
const f32 = (...list: number[]) => Float32Array.from(list);
const rgba = (word: number) => [word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24];

describe("a coarser grid", () => {
  it("holds means of blocks", () => {
    const map = Float32Array.from({ length: 4 * 6 }, (_, i) => i);
    expect([...block_mean(map, 4, 6, 2, 3)]).toEqual([3.5, 5.5, 7.5, 15.5, 17.5, 19.5]);
    expect([...block_mean(map, 4, 6, 4, 6)]).toEqual([...map]);
  });
  it("weighs cells by their area where sizes do not divide", () => {
    // three cells onto two: one and a half each
    const got = block_mean(f32(1, 2, 6), 1, 3, 1, 2);
    expect(got[0]).toBeCloseTo((1 + 0.5 * 2) / 1.5, 6);
    expect(got[1]).toBeCloseTo((0.5 * 2 + 6) / 1.5, 6);
    const map = Float32Array.from({ length: 35 }, (_, i) => Math.sin(i));
    const mean = (list: Float32Array) => list.reduce((a, b) => a + b) / list.length;
    expect(mean(block_mean(map, 5, 7, 2, 3))).toBeCloseTo(mean(map), 6);
  });
  it("leaves out NaN, and has it where there is nothing else", () => {
    expect([...block_mean(f32(NAN, 3, NAN, NAN), 1, 4, 1, 2)]).toEqual([3, NAN]);
  });
  it("is that of the coarser of two", () => {
    const fine = { map: Float32Array.from({ length: 8 }, (_, i) => i), height: 2, width: 4 };
    const coarse = { map: f32(9, 8), height: 1, width: 2 };
    const [a, b] = on_coarser(fine, coarse);
    expect([[...a.map], b]).toEqual([[2.5, 4.5], coarse]);
    expect(on_coarser(coarse, fine)[1]).toEqual(a);
  });
});

describe("two maps", () => {
  it("differ cell by cell", () => {
    const out = new Float32Array(3);
    expect(difference(f32(1, 0.5, NAN), f32(0.25, 1, 1), out)).toBe(out);
    expect([...out]).toEqual([0.75, -0.5, NAN]);
    expect(magnitude(out)).toBe(0.75);
    expect(magnitude(f32(NAN))).toBe(0);
  });
  it("correlate from -1 to 1; a constant map with nothing", () => {
    const a = f32(1, 2, 4, NAN);
    expect(correlation(a, f32(3, 5, 9, 1))).toBeCloseTo(1, 9);
    expect(correlation(a, f32(-1, -2, -4, 1))).toBeCloseTo(-1, 9);
    expect(correlation(f32(1, 2, 3), f32(1, 3, 2))).toBeCloseTo(0.5, 9);
    const constant = new Float32Array(105).fill(0.1);
    expect(
      correlation(
        constant,
        Float32Array.from(constant, (_, i) => i),
      ),
    ).toBeNaN();
    expect(correlation(f32(NAN), f32(1))).toBeNaN();
  });
  it("diverge by no more than one bit", () => {
    expect(jensen_shannon(f32(1, 3, 0), f32(2, 6, 0))).toBe(0);
    expect(jensen_shannon(f32(1, 0), f32(0, 5))).toBeCloseTo(1, 9);
    // numpy: p = [.5, .5], q = [.25, .75]
    expect(jensen_shannon(f32(1, 1), f32(1, 3))).toBeCloseTo(0.0487949, 6);
    expect(jensen_shannon(f32(1, 1, NAN), f32(1, 3, 9))).toBeCloseTo(0.0487949, 6);
    expect(jensen_shannon(f32(0, 0), f32(1, 3))).toBeNaN();
  });
  it("have centroids, and a way between them in pixels", () => {
    const spot = new Float32Array(3 * 5);
    spot[1 * 5 + 4] = 0.5;
    expect(centroid(spot, 3, 5)).toEqual([0.9, 0.5]);
    spot[0] = NAN;
    spot[1 * 5 + 0] = 0.5;
    expect(centroid(spot, 3, 5)).toEqual([0.5, 0.5]);
    expect(centroid(new Float32Array(15), 3, 5)).toEqual([NAN, NAN]);
    expect(centroid_shift([0.5, 0.5], [0.8, 0.9], 100, 200)).toBeCloseTo(Math.hypot(30, 80), 9);
  });
});

describe("diverging colours", () => {
  // matplotlib 3.11 and cmcrameri 1.10, times 255
  it.each([
    ["RdBu_r", 0, [5, 48, 97]],
    ["RdBu_r", 40, [52, 128, 185]],
    ["RdBu_r", 127, [246, 247, 247]],
    ["RdBu_r", 213, [201, 71, 65]],
    ["RdBu_r", 255, [103, 0, 31]],
    ["vik", 0, [0, 18, 97]],
    ["vik", 40, [5, 81, 137]],
    ["vik", 127, [235, 230, 226]],
    ["vik", 170, [211, 151, 116]],
    ["vik", 254, [91, 1, 8]],
  ] as const)("%s is right at %i", (name, i, rgb) => {
    const got = rgba(diverging(name)[i] as number);
    rgb.forEach((channel, c) => expect(Math.abs((got[c] as number) - channel)).toBeLessThanOrEqual(2));
  });
  it("have 256 opaque entries, none of which is the colour of NaN", () => {
    for (const name of DIVERGING) {
      const table = diverging(name);
      expect(table.length).toBe(256);
      expect(table.every((word) => word >>> 24 === 255 && word !== pack(...NAN_RGB))).toBe(true);
    }
  });
  it("run from minus to plus the limit, with no difference in the middle", () => {
    const table = Uint32Array.from({ length: 256 }, (_, i) => i);
    const pixels = new Uint32Array(5);
    colour_difference(f32(-0.5, 0, 0.25, 2, NAN), 0.5, table, pixels);
    expect([...pixels]).toEqual([0, 128, 191, 255, pack(...NAN_RGB)]);
    colour_difference(f32(0, 0, 0, 0, 0), 0, table, pixels);
    expect([...pixels]).toEqual([128, 128, 128, 128, 128]);
  });
});

it("hues mix by weight and are as opaque as the strongest", () => {
  const pixels = new Uint32Array(4);
  const maps = [f32(1, 0.5, 0, NAN), f32(0, 0.25, 0, 1)];
  const colours = [
    [240, 0, 60],
    [0, 120, 60],
  ] as const;
  mix_hues(maps, (value, i) => (i ? 2 * value : value), colours, pixels);
  expect([...pixels].map(rgba)).toEqual([[240, 0, 60, 255], [120, 60, 60, 128], [0, 0, 0, 0], rgba(not_a_number(3))]);
});
