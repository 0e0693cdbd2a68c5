import { describe, expect, it } from "vitest";
import { column_of, max_of, mean_of, open_qk, region_column, region_row, row_of } from "../src/maps/selfattention.ts";
import { packet } from "./packets.ts";
import { random } from "./synthetic.ts";

const N = 15; // a grid of 3 x 5
const D = 7; // no multiple of four

function made(biased: boolean) {
  const rnd = random(31);
  const list = (n: number) => Array.from({ length: n }, () => Math.fround(3 * rnd() - 1.5));
  const [query, key, bias] = [list(N * D), list(N * D), biased ? list(N) : null];
  const scale = Math.fround(D ** -0.5);
  const scores = Array.from({ length: N }, (_, i) =>
    Array.from({ length: N }, (_, j) => {
      let dot = 0;
      for (let k = 0; k < D; k++) dot += (query[i * D + k] as number) * (key[j * D + k] as number);
      return scale * dot + (bias?.[j] ?? 0);
    }),
  );
  const lse = scores.map((row) => Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0)));
  const whole = scores.map((row, i) => row.map((score) => Math.exp(score - (lse[i] as number))));
  return { query, key, bias, scale, lse, whole };
}

function opened(biased = false, unseen?: number) {
  const { query, key, bias, scale, lse, whole } = made(biased);
  if (unseen !== undefined) lse[unseen] = Number.NaN;
  const sections: Parameters<typeof packet> = [
    ["query", query, [N, D]],
    ["key", key, [N, D]],
    ["lse", lse, [N]],
    ["scale", [scale], [1]],
  ];
  if (bias) sections.push(["bias", bias, [N]]);
  return { from: packet(...sections), whole };
}

const close = (got: Float32Array, want: (number | undefined)[]) =>
  got.forEach((value, i) => expect(value).toBeCloseTo(want[i] as number, 6));

describe("self-attention from queries and keys", () => {
  it.each([false, true])("gives the rows and columns of the softmax (bias: %s)", (biased) => {
    const { from, whole } = opened(biased);
    const qk = open_qk(from);
    expect([qk.pixels, qk.width, qk.bias !== null]).toEqual([N, D, biased]);
    expect(open_qk(from)).toBe(qk);
    for (let cell = 0; cell < N; cell++) {
      close(row_of(qk, cell), whole[cell] as number[]);
      close(
        column_of(qk, cell),
        whole.map((row) => row[cell]),
      );
    }
  });

  it("writes where it is told, and anew only where that does not fit", () => {
    const qk = open_qk(opened().from);
    const out = new Float32Array(N);
    expect(row_of(qk, 2, out)).toBe(out);
    expect(column_of(qk, 2, out)).toBe(out);
    expect(row_of(qk, 2, new Float32Array(N + 1)).length).toBe(N);
  });

  it("knows nothing of a query that was not seen", () => {
    const { from, whole } = opened(false, 4);
    const qk = open_qk(from);
    expect(row_of(qk, 4).every(Number.isNaN)).toBe(true);
    const column = column_of(qk, 3);
    expect(column[4]).toBeNaN();
    expect(column[5]).toBeCloseTo(whole[5]?.[3] as number, 6);
    close(region_row(qk, [4, 3]), whole[3] as number[]);
    expect(region_row(qk, [4]).every(Number.isNaN)).toBe(true);
  });

  it("takes the mean over a region, of rows and of columns", () => {
    const { from, whole } = opened(true);
    const cells = Int32Array.of(1, 2, 6);
    const mean = (of: (cell: number, i: number) => number) =>
      Array.from({ length: N }, (_, i) => [...cells].reduce((sum, cell) => sum + of(cell, i), 0) / 3);
    close(
      region_row(open_qk(from), cells),
      mean((cell, i) => whole[cell]?.[i] as number),
    );
    close(
      region_column(open_qk(from), cells),
      mean((cell, i) => whole[i]?.[cell] as number),
    );
  });

  it("says which section is missing", () => {
    expect(() => open_qk(packet(["query", [1], [1, 1]], ["lse", [0], [1]]))).toThrow(
      "no section 'key' in queries and keys; there are query, lse",
    );
  });
});

it("means and maxima of maps go cell by cell, and keep NaN", () => {
  const maps = [Float32Array.of(0.25, 1, Number.NaN), Float32Array.of(0.75, 0.5, 1)];
  expect([...mean_of(maps)]).toEqual([0.5, 0.75, Number.NaN]);
  expect([...max_of(maps)]).toEqual([0.75, 1, Number.NaN]);
  const out = new Float32Array(3);
  expect(max_of(maps, out)).toBe(out);
});
