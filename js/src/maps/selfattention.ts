/** Self-attention of one head, formed from its queries and keys where somebody looks: one row or column at a time. */

import { type Section, values } from "../wire/decode.ts";
import type { Packet } from "../wire/transport.ts";
import { room } from "./buffers.ts";

export interface QueriesKeys {
  /** [pixels, width], row-major, as `key`. */
  query: Float32Array;
  key: Float32Array;
  /** Per query the logarithm of what its row is divided by; NaN where nothing was seen. */
  lse: Float32Array;
  scale: number;
  /** Added to the scores of each key. */
  bias: Float32Array | null;
  pixels: number;
  /** Of the head: how many numbers a query has. */
  width: number;
}

const OPENED = new WeakMap<Packet, QueriesKeys>();

export function open_qk(packet: Packet): QueriesKeys {
  let known = OPENED.get(packet);
  if (!known) OPENED.set(packet, (known = read(packet)));
  return known;
}

function read(packet: Packet): QueriesKeys {
  const section = (name: string): Section => {
    const found = packet.get(name);
    if (!found) throw new Error(`no section '${name}' in queries and keys; there are ${[...packet.keys()].join(", ")}`);
    return found;
  };
  const query = section("query");
  const bias = packet.get("bias");
  const [pixels, width] = query.shape as [number, number];
  return {
    query: values(query),
    key: values(section("key")),
    lse: values(section("lse")),
    scale: values(section("scale"))[0] as number,
    bias: bias ? values(bias) : null,
    pixels,
    width,
  };
}

/** Products of one vector with every row of `rows`. Four sums run side by side: one would wait for itself. */
function dot_all(vectors: Float32Array, cell: number, rows: Float32Array, width: number, out: Float32Array): void {
  const start = cell * width;
  const whole = width - (width % 4);
  for (let i = 0, at = 0; i < out.length; i++, at += width) {
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let k = 0;
    for (; k < whole; k += 4) {
      a += (vectors[start + k] as number) * (rows[at + k] as number);
      b += (vectors[start + k + 1] as number) * (rows[at + k + 1] as number);
      c += (vectors[start + k + 2] as number) * (rows[at + k + 2] as number);
      d += (vectors[start + k + 3] as number) * (rows[at + k + 3] as number);
    }
    for (; k < width; k++) a += (vectors[start + k] as number) * (rows[at + k] as number);
    out[i] = a + b + c + d;
  }
}

/** Where the pixel `cell` looks: A[cell, :]. */
export function row_of(qk: QueriesKeys, cell: number, out?: Float32Array): Float32Array {
  const { scale, bias, pixels } = qk;
  const row = room(pixels, out);
  const lse = qk.lse[cell] as number;
  dot_all(qk.query, cell, qk.key, qk.width, row);
  for (let j = 0; j < pixels; j++)
    row[j] = Math.exp(scale * (row[j] as number) + (bias ? (bias[j] as number) : 0) - lse);
  return row;
}

/** Who looks at the pixel `cell`: A[:, cell]. */
export function column_of(qk: QueriesKeys, cell: number, out?: Float32Array): Float32Array {
  const { scale, lse, pixels } = qk;
  const column = room(pixels, out);
  const bias = qk.bias ? (qk.bias[cell] as number) : 0;
  dot_all(qk.key, cell, qk.query, qk.width, column);
  for (let i = 0; i < pixels; i++) column[i] = Math.exp(scale * (column[i] as number) + bias - (lse[i] as number));
  return column;
}

let scratch: Float32Array = new Float32Array(0);

/** The mean of the rows of some cells; a row that was not seen takes nothing from the others. */
export function region_row(qk: QueriesKeys, cells: ArrayLike<number>, out?: Float32Array): Float32Array {
  return region_mean(qk, cells, row_of, (cell) => !Number.isNaN(qk.lse[cell]), out);
}

/** The mean of the columns of some cells. */
export function region_column(qk: QueriesKeys, cells: ArrayLike<number>, out?: Float32Array): Float32Array {
  return region_mean(qk, cells, column_of, () => true, out);
}

function region_mean(
  qk: QueriesKeys,
  cells: ArrayLike<number>,
  map_of: typeof row_of,
  seen: (cell: number) => boolean,
  out?: Float32Array,
): Float32Array {
  const mean = room(qk.pixels, out).fill(0);
  scratch = room(qk.pixels, scratch);
  let count = 0;
  for (let n = 0; n < cells.length; n++) {
    const cell = cells[n] as number;
    if (!seen(cell)) continue;
    count += 1;
    map_of(qk, cell, scratch);
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (scratch[i] as number);
  }
  for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) / count;
  return mean;
}

/** Mean of several maps, cell by cell; NaN where one of them is. */
export function mean_of(maps: readonly Float32Array[], out?: Float32Array): Float32Array {
  const mean = room(maps[0]?.length ?? 0, out).fill(0);
  for (const map of maps) for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) + (map[i] as number);
  for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] as number) / maps.length;
  return mean;
}

/** Maximum of several maps, cell by cell; NaN where one of them is. */
export function max_of(maps: readonly Float32Array[], out?: Float32Array): Float32Array {
  const most = room(maps[0]?.length ?? 0, out).fill(Number.NEGATIVE_INFINITY);
  for (const map of maps) for (let i = 0; i < most.length; i++) most[i] = Math.max(most[i] as number, map[i] as number);
  return most;
}
