/** Two maps side by side: on one grid, their difference, and how far apart they are in numbers. */

import { room } from "./buffers.ts";

export interface Grid {
  map: Float32Array;
  height: number;
  width: number;
}

/** The mean over the area of each cell of a coarser grid; cells of NaN take no part. */
export function block_mean(
  map: Float32Array,
  h: number,
  w: number,
  H: number,
  W: number,
  out?: Float32Array,
): Float32Array {
  const mean = room(H * W, out);
  for (let Y = 0; Y < H; Y++)
    for (let X = 0; X < W; X++) {
      const [top, bottom, left, right] = [(Y * h) / H, ((Y + 1) * h) / H, (X * w) / W, ((X + 1) * w) / W];
      let sum = 0;
      let area = 0;
      for (let y = Math.floor(top); y < Math.min(h, bottom); y++) {
        const tall = Math.min(y + 1, bottom) - Math.max(y, top);
        for (let x = Math.floor(left); x < Math.min(w, right); x++) {
          const value = map[y * w + x] as number;
          if (Number.isNaN(value)) continue;
          const share = tall * (Math.min(x + 1, right) - Math.max(x, left));
          sum += share * value;
          area += share;
        }
      }
      mean[Y * W + X] = sum / area;
    }
  return mean;
}

/** Both on the coarser of their grids; whichever is there already is not copied. */
export function on_coarser(a: Grid, b: Grid): [Grid, Grid] {
  const { height, width } = a.map.length <= b.map.length ? a : b;
  const onto = (grid: Grid): Grid =>
    grid.height === height && grid.width === width
      ? grid
      : { map: block_mean(grid.map, grid.height, grid.width, height, width), height, width };
  return [onto(a), onto(b)];
}

export function difference(a: Float32Array, b: Float32Array, out?: Float32Array): Float32Array {
  const minus = room(a.length, out);
  for (let i = 0; i < a.length; i++) minus[i] = (a[i] as number) - (b[i] as number);
  return minus;
}

/** Pearson's, over the cells where both are numbers; NaN where one of them is the same everywhere. */
export function correlation(a: Float32Array, b: Float32Array): number {
  let n = 0;
  let sum_a = 0;
  let sum_b = 0;
  let first = -1;
  let varies_a = false; // not asked of the sum of squares, which rounding may leave a little above nothing
  let varies_b = false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    if (Number.isNaN(x - y)) continue;
    if (first < 0) first = i;
    varies_a ||= x !== a[first];
    varies_b ||= y !== b[first];
    n += 1;
    sum_a += x;
    sum_b += y;
  }
  if (!varies_a || !varies_b) return Number.NaN;
  let aa = 0;
  let bb = 0;
  let ab = 0;
  for (let i = 0; i < a.length; i++) {
    const x = (a[i] as number) - sum_a / n;
    const y = (b[i] as number) - sum_b / n;
    if (Number.isNaN(x - y)) continue;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  return ab / Math.sqrt(aa * bb);
}

/** Jensen-Shannon divergence in bits, from 0 to 1, of the two maps as distributions over the cells where both are numbers. */
export function jensen_shannon(a: Float32Array, b: Float32Array): number {
  let sum_a = 0;
  let sum_b = 0;
  for (let i = 0; i < a.length; i++) {
    if (Number.isNaN((a[i] as number) - (b[i] as number))) continue;
    sum_a += a[i] as number;
    sum_b += b[i] as number;
  }
  if (!(sum_a > 0 && sum_b > 0)) return Number.NaN;
  let bits = 0;
  for (let i = 0; i < a.length; i++) {
    const p = (a[i] as number) / sum_a;
    const q = (b[i] as number) / sum_b;
    if (p > 0 && !Number.isNaN(q)) bits += (p / 2) * Math.log2((2 * p) / (p + q));
    if (q > 0 && !Number.isNaN(p)) bits += (q / 2) * Math.log2((2 * q) / (p + q));
  }
  return Math.max(0, bits);
}

/** Where the mass of a map is in the middle, as (u, v). */
export function centroid(map: Float32Array, h: number, w: number): [number, number] {
  let mass = 0;
  let u = 0;
  let v = 0;
  for (let y = 0, i = 0; y < h; y++)
    for (let x = 0; x < w; x++, i++) {
      const value = map[i] as number;
      if (Number.isNaN(value)) continue;
      mass += value;
      u += value * (x + 0.5);
      v += value * (y + 0.5);
    }
  return [u / mass / w, v / mass / h];
}

/** How far apart two centroids are, in pixels of a picture. */
export const centroid_shift = (
  a: readonly [number, number],
  b: readonly [number, number],
  width_px: number,
  height_px: number,
): number => Math.hypot((a[0] - b[0]) * width_px, (a[1] - b[1]) * height_px);
