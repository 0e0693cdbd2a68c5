/** A dragged box, as the cells of a grid. */

import type { Region } from "../wire/protocol.ts";
import type { Field } from "./fields.ts";

/** Cells whose middle is inside; along each side at least the one under the middle of the box. */
export function cells_in([u0, v0, u1, v1]: Region, h: number, w: number): Int32Array {
  const [ys, xs] = [inside(v0, v1, h), inside(u0, u1, w)];
  return Int32Array.from(ys.flatMap((y) => xs.map((x) => y * w + x)));
}

function inside(from: number, to: number, cells: number): number[] {
  const all = Array.from({ length: cells }, (_, i) => i);
  const some = all.filter((i) => (i + 0.5) / cells >= from && (i + 0.5) / cells <= to);
  return some.length ? some : [Math.min(cells - 1, Math.floor(((from + to) / 2) * cells))];
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
