import { describe, expect, it } from "vitest";
import { contour_path } from "../src/maps/contour.ts";
import { entropy_bits, half_mass, head_stats, order_heads, peak } from "../src/maps/measures.ts";
import { cells_in, region_distribution } from "../src/maps/region.ts";

const NAN = Number.NaN;
const f32 = (...list: number[]) => Float32Array.from(list);

describe("a map in numbers", () => {
  it("holds half of its mass in its greatest cells", () => {
    expect(half_mass(f32(1, 5, 2, 3, 1))).toEqual({ level: 3, share: 0.4 });
    expect(half_mass(f32(1, 9, NAN, NAN))).toEqual({ level: 9, share: 0.5 });
    expect(half_mass(f32(2, 2, 2, 2))).toEqual({ level: 2, share: 0.5 });
    expect(half_mass(f32(0, 0))).toEqual({ level: NAN, share: NAN });
  });
  it("has an entropy, whatever its sum", () => {
    expect(entropy_bits(f32(3, 3, 3, 3, NAN))).toBeCloseTo(2, 9);
    expect(entropy_bits(f32(0, 7, 0))).toBe(0);
    expect(entropy_bits(f32(0, NAN))).toBeNaN();
  });
  it("has a peak, the first of equals", () => {
    expect(peak(f32(NAN, 1, 4, 2, 4, 0), 3)).toEqual({ value: 4, y: 0, x: 2 });
    expect(peak(f32(0, 0, -1, 0, 0, 1), 2)).toEqual({ value: 1, y: 2, x: 1 });
    expect(peak(f32(NAN), 1)).toBeNull();
  });
});

describe("the order of heads", () => {
  const maps = [f32(1, 1, 1), f32(0, 6, 0), f32(NAN, NAN, NAN), f32(0, 3, 1), f32(0, 0, 6)];
  it("is by index, focus, weight or likeness", () => {
    const stats = head_stats(maps, f32(0, 2, 0));
    expect(order_heads(stats, "index")).toEqual([0, 1, 2, 3, 4]);
    expect(order_heads(stats, "entropy")).toEqual([1, 4, 3, 0, 2]);
    expect(order_heads(stats, "mass")).toEqual([1, 4, 3, 0, 2]);
    expect(order_heads(stats, "similarity")).toEqual([1, 3, 4, 0, 2]);
  });
  it("stays where nothing is pinned", () => {
    expect(order_heads(head_stats(maps, null), "similarity")).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("contours", () => {
  const loops = (path: string) =>
    path
      .split("Z")
      .filter(Boolean)
      .map((loop) =>
        loop
          .slice(1)
          .split("L")
          .map((point) => point.split(" ").map(Number) as [number, number]),
      );
  /** Twice the signed area. */
  const area = (loop: [number, number][]) =>
    loop.reduce((sum, [x, y], i) => {
      const [x2, y2] = loop[(i + 1) % loop.length] as [number, number];
      return sum + x * y2 - x2 * y;
    }, 0);

  it("go round one cell, between the middles of its neighbours", () => {
    const map = new Float32Array(5 * 7);
    map[2 * 7 + 3] = 1;
    const [loop, ...more] = loops(contour_path(map, 5, 7, 0.5));
    expect(more).toEqual([]);
    const want = [
      [3.5 / 7, 2 / 5],
      [4 / 7, 2.5 / 5],
      [3.5 / 7, 3 / 5],
      [3 / 7, 2.5 / 5],
    ];
    const near = (a: readonly number[], b: readonly number[]) =>
      Math.abs((a[0] ?? 0) - (b[0] ?? 9)) + Math.abs((a[1] ?? 0) - (b[1] ?? 9)) < 2e-4;
    expect(loop?.length).toBe(4);
    for (const point of want) expect(loop?.some((other) => near(point, other))).toBe(true);
  });
  it("follow the edge of the map where it is high there", () => {
    const [loop, ...more] = loops(contour_path(new Float32Array(3 * 4).fill(1), 3, 4, 0.5));
    expect(more).toEqual([]);
    const xs = loop?.map(([x]) => x) ?? [];
    const ys = loop?.map(([, y]) => y) ?? [];
    expect([Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]).toEqual([0, 1, 0, 1]);
  });
  it("turn the other way round a hole", () => {
    const map = new Float32Array(5 * 5).fill(1);
    map[12] = 0;
    const turns = loops(contour_path(map, 5, 5, 0.5)).map((loop) => Math.sign(area(loop)));
    expect(turns.sort()).toEqual([-1, 1]);
  });
  it("part or join at a saddle by what is in its middle", () => {
    const corners = (low: number) => {
      const map = new Float32Array(4 * 5);
      [6, 12].forEach((cell) => (map[cell] = 1));
      [7, 11].forEach((cell) => (map[cell] = low));
      return loops(contour_path(map, 4, 5, 0.6)).length;
    };
    expect([corners(0), corners(0.4)]).toEqual([2, 1]);
  });
  it("are none where nothing is high, and go round NaN", () => {
    expect(contour_path(new Float32Array(6), 2, 3, 0.5)).toBe("");
    expect(contour_path(new Float32Array(6), 2, 3, NAN)).toBe("");
    const map = new Float32Array(25).fill(1);
    map[12] = NAN;
    expect(loops(contour_path(map, 5, 5, 0.5)).length).toBe(2);
    expect(contour_path(map, 5, 5, 0.5)).not.toContain("NaN");
  });
});

describe("a region", () => {
  it("is the cells whose middle is inside, at least the one under its own middle", () => {
    expect([...cells_in([0, 0, 0.5, 0.5], 4, 6)]).toEqual([0, 1, 2, 6, 7, 8]);
    expect([...cells_in([0.4, 0.6, 0.41, 0.61], 3, 5)]).toEqual([1 * 5 + 2]);
    expect([...cells_in([0.2, 0.6, 0.8, 0.6], 3, 5)]).toEqual([6, 7, 8]); // a line across is a row of cells
    expect([...cells_in([0, 0, 1, 1], 2, 3)]).toEqual([0, 1, 2, 3, 4, 5]);
  });
  it("has a mean per token, of what was seen", () => {
    const data = f32(9, 0.25, 0.5, 0.75, 0.75, NAN, 0.25); // from 1: two tokens, one row of three
    const field = { data, offset: 1, height: 1, width: 3, tokens: 2, eight_bit: false, layers: 1 };
    const out = new Float32Array(2);
    expect([...region_distribution(field, Int32Array.of(1, 2), out)]).toEqual([0.625, 0.25]);
    expect([...region_distribution(field, Int32Array.of(1), out)]).toEqual([0.5, NAN]);
  });
});
