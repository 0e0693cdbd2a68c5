/** Heads in the order in which they follow a word. */

import { describe, expect, it } from "vitest";
import { ranked } from "../src/scope/ranking.ts";
import { open_section } from "../src/wire/decode.ts";
import { Packer } from "./encode.ts";
import { tiny } from "./synthetic.ts";

const [first, second] = tiny().map((info) => ({ ...info, heads: 2, single_heads: 2 }));
const a = { ...first, layer: "down.0.0", height: 3, width: 5 } as NonNullable<typeof first>;
const b = { ...second, layer: "up.1.0", height: 7, width: 11 } as NonNullable<typeof first>;
const [N, M] = [Math.log2(15), Math.log2(77)];

/** Of two layers with two heads each, three tokens. */
function packet(focus: number[][], mass: number[][]) {
  const packer = new Packer();
  const pairs = [a, b].flatMap(({ layer }) => [0, 1].map((head) => [layer, head]));
  const bytes = new TextEncoder().encode(JSON.stringify(pairs));
  const heads = [
    packer.add("pairs", Float32Array.from(bytes), [bytes.length], "u8"),
    packer.add("focus", Float32Array.from(focus.flat()), [4, 3], "f32"),
    packer.add("mass", Float32Array.from(mass.flat()), [4, 3], "f32"),
  ];
  const buffer = packer.buffer();
  return new Map(heads.map((head) => [head.name, open_section(head, buffer)]));
}

const FOCUS = [
  [0.5, 0.25, 0.75],
  [0.5, 0.5, 0.125],
  [0.5, 0, 0.25],
  [0.75, 0.5, 0.5],
];
const MASS = [
  [0.25, 0.0625, 0.25],
  [0.0625, 0.25, 0.75],
  [0.25, 0.5, 0.25],
  [0.0625, 0.0625, 0.0625],
];
const order = (list: ReturnType<typeof ranked>) => list.map(({ info, head }) => `${info.layer} ${head}`);

describe("heads", () => {
  it("stand in order of bits times the fourth root of mass", () => {
    const list = ranked(packet(FOCUS, MASS), [0], [a, b]);
    expect(order(list)).toEqual(["up.1.0 1", "up.1.0 0", "down.0.0 0", "down.0.0 1"]);
    const expected = [0.75 * M * 0.5, 0.5 * M * 0.25 ** 0.25, 0.5 * N * 0.25 ** 0.25, 0.5 * N * 0.5];
    for (const [i, { score }] of list.entries()) expect(score).toBeCloseTo(expected[i] as number, 5);
  });

  it("have of a word in pieces the sum of mass, and the mean of focus weighted by it", () => {
    const list = ranked(packet(FOCUS, MASS), [1, 2], [a, b]);
    const found = list.find(({ info, head }) => info === a && head === 0);
    expect(found?.mass).toBeCloseTo(0.3125, 6);
    expect(found?.focus).toBeCloseTo((0.0625 * 0.25 + 0.25 * 0.75) / 0.3125, 6);
    expect(found?.score).toBeCloseTo(0.65 * N * 0.3125 ** 0.25, 5);
  });

  it("are left out where nothing was seen, or nothing is there to follow", () => {
    const gap = packet(
      FOCUS.map((row, i) => (i === 2 ? [Number.NaN, Number.NaN, Number.NaN] : row)),
      MASS.map((row, i) => (i === 2 ? [Number.NaN, Number.NaN, Number.NaN] : row)),
    );
    expect(order(ranked(gap, [0], [a, b]))).not.toContain("up.1.0 0");
    expect(order(ranked(packet(FOCUS, MASS), [1], [a, b]))).not.toContain("up.1.0 0");
    expect(ranked(packet(FOCUS, MASS), [], [a, b])).toEqual([]);
    expect(ranked(new Map(), [0], [a, b])).toEqual([]);
  });

  it("count with a piece that nobody looks at, which has no focus", () => {
    const [focus, mass] = [FOCUS.map((row) => [...row]), MASS.map((row) => [...row])];
    (focus[0] as number[])[1] = Number.NaN;
    (mass[0] as number[])[1] = 0;
    const list = ranked(packet(focus, mass), [0, 1], [a, b]);
    expect(list.find(({ info, head }) => info === a && head === 0)?.focus).toBeCloseTo(0.5, 6);
  });

  it("are of the layers at hand, and single", () => {
    expect(order(ranked(packet(FOCUS, MASS), [0], [b]))).toEqual(["up.1.0 1", "up.1.0 0"]);
    expect(order(ranked(packet(FOCUS, MASS), [0], [{ ...a, single_heads: 0 }, b]))).toEqual(["up.1.0 1", "up.1.0 0"]);
  });
});
