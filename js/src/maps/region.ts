/** A dragged box, as the cells of a grid. */

import { cell_at, type Field } from "./fields.ts";

export type Region = readonly [u0: number, v0: number, u1: number, v1: number];

/** Cells whose middle is inside, and at least the one under the middle of the box. */
export function cells_in([u0, v0, u1, v1]: Region, h: number, w: number): Int32Array {
  const cells: number[] = [];
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const [u, v] = [(x + 0.5) / w, (y + 0.5) / h];
      if (u >= u0 && u <= u1 && v >= v0 && v <= v1) cells.push(y * w + x);
    }
  if (cells.length === 0) {
    const [y, x] = cell_at({ height: h, width: w }, (u0 + u1) / 2, (v0 + v1) / 2);
    cells.push(y * w + x);
  }
  return Int32Array.from(cells);
}

/** Attention of every token column, as the mean over some cells. */
export function region_distribution(field: Field, cells: Int32Array, out: Float32Array): Float32Array {
  const area = field.height * field.width;
  for (let t = 0; t < field.tokens; t++) {
    let sum = 0;
    let seen = 0;
    for (const cell of cells) {
      const value = field.data[field.offset + t * area + cell] as number;
      if (Number.isNaN(value)) continue;
      sum += value;
      seen += 1;
    }
    out[t] = sum / seen;
  }
  return out;
}

/** The most rows of which a mean is taken: each costs as much as a hover. */
export const MOST_QUERIES = 64;

/** The cells of a box, or where there are too many some of them, evenly spread. */
export function queries_in(region: Region, height: number, width: number): ArrayLike<number> {
  const all = cells_in(region, height, width);
  if (all.length <= MOST_QUERIES) return all;
  return Int32Array.from(
    { length: MOST_QUERIES },
    (_, i) => all[Math.floor(((i + 0.5) * all.length) / MOST_QUERIES)] ?? 0,
  );
}
