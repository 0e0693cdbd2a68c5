import { describe, expect, it } from "vitest";
import { histogram } from "../src/maps/histogram.ts";
import { percentiles, position, ranks, renormalised, value_at } from "../src/maps/scaling.ts";
import { random } from "./synthetic.ts";

const TRANSFORMS = ["linear", "sqrt", "log", "rank", "uniform"] as const;
const NAN = Number.NaN;

describe("positions on the colour bar", () => {
  it.each(TRANSFORMS)("%s runs from 0 to 1, rises, and has an inverse", (transform) => {
    for (const limits of [
      { lo: 0, hi: 0.31 },
      { lo: 0.02, hi: 0.31 },
    ]) {
      if (transform !== "rank") {
        expect(position(limits.lo, limits, transform)).toBe(0);
        expect(position(limits.hi, limits, transform)).toBe(1);
      }
      expect(position(-1, limits, transform)).toBe(0);
      expect(position(2, limits, transform)).toBe(1);
      let last = -1;
      for (let i = 0; i <= 50; i++) {
        const value = value_at(i / 50, limits, transform);
        expect(value).toBeGreaterThan(last);
        expect(position(value, limits, transform)).toBeCloseTo(i / 50, 6);
        last = value;
      }
    }
  });
  it("does not divide by nothing, and keeps NaN", () => {
    for (const transform of TRANSFORMS) {
      expect(position(0, { lo: 0, hi: 0 }, transform)).toBe(0);
      expect(position(0.2, { lo: 0.3, hi: 0.3 }, transform)).toBeGreaterThanOrEqual(0);
      expect(position(NAN, { lo: 0, hi: 1 }, transform)).toBeNaN();
    }
  });
});

describe("percentiles", () => {
  const maps = [Float32Array.of(3, NAN, 1), Float32Array.of(2, 7, Number.POSITIVE_INFINITY)];
  it("are those of numpy, over all finite values of all maps", () => {
    // numpy.percentile([3, 1, 2, 7], [10, 50, 75, 99])
    expect(percentiles(maps, [10, 75]).lo).toBeCloseTo(1.3, 6);
    expect(percentiles(maps, [50, 75])).toEqual({ lo: 2.5, hi: 4 });
    expect(percentiles(maps, [50, 99]).hi).toBeCloseTo(6.88, 5);
    expect(maps[0]?.[0]).toBe(3);
  });
  it("begin at nothing where nothing is cut off below", () => {
    expect(percentiles(maps, [0, 100])).toEqual({ lo: 0, hi: 7 });
    expect(percentiles(maps, [0, 50])).toEqual({ lo: 0, hi: 2.5 });
    expect(percentiles(maps, [1, 50]).lo).toBeGreaterThan(0);
    expect(percentiles([Float32Array.of(NAN)], [1, 99])).toEqual({ lo: 0, hi: 0 });
    expect(percentiles([], [0, 100])).toEqual({ lo: 0, hi: 0 });
  });
  it("find their place among many, ties and sorted runs included", () => {
    const rnd = random(5);
    for (const make of [rnd, () => Math.floor(4 * rnd()), () => 1, (i: number) => i, (i: number) => -i]) {
      const map = Float32Array.from({ length: 1001 }, (_, i) => make(i));
      const sorted = map.slice().sort();
      expect(percentiles([map], [1, 95])).toEqual({ lo: sorted[10], hi: sorted[950] });
    }
  });
});

describe("ranks", () => {
  it("are averages over ties, in [0, 1], and keep NaN", () => {
    expect([...ranks(Float32Array.of(5, 1, 2, NAN, 2, 9))]).toEqual([0.75, 0, 0.375, NAN, 0.375, 1]);
    expect([...ranks(Float32Array.of(3, NAN))]).toEqual([0, NAN]);
    expect([...ranks(Float32Array.of(-1e-9, 0, -3, -0, 1e-9))]).toEqual([0.25, 0.625, 0, 0.625, 1]);
  });
  it("are written where told", () => {
    const out = new Float32Array(3);
    expect(ranks(Float32Array.of(0.2, 0.3, 0.1), out)).toBe(out);
    expect([...out]).toEqual([0.5, 1, 0]);
  });
});

it("renormalising divides by the columns that count, pixel by pixel", () => {
  // of a field that begins at 1: three tokens on one row of two cells
  const data = Float32Array.of(9, 0.5, 0.75, 0.125, 0.25, 0.375, 0);
  const field = { data, offset: 1, height: 1, width: 2, tokens: 3, eight_bit: false, layers: 1 };
  expect([...renormalised(field, [1, 2]).data]).toEqual([1, 3, 0.25, 1, 0.75, 0]);
  const nothing = renormalised(field, [2], new Float32Array(6));
  expect(nothing.data[1]).toBeNaN();
  expect([nothing.offset, nothing.tokens]).toEqual([0, 3]);
});

it("the histogram counts finite values along the transformed axis", () => {
  const maps = [Float32Array.of(0, 0.05, 0.1, NAN), Float32Array.of(0.25, 1, 0.81, 5)];
  const limits = { lo: 0, hi: 1 };
  expect([...histogram(maps, limits, "linear", 5)]).toEqual([3, 1, 0, 0, 3]);
  const out = new Uint32Array(5).fill(7);
  expect(histogram(maps, limits, "sqrt", 5, out)).toBe(out);
  expect([...out]).toEqual([1, 2, 1, 0, 3]);
});
