/** Arithmetic on maps: which values a view shows, before any colour. All pure. */

import { type Section, values } from "../wire/decode.ts";
import type { Head } from "../wire/protocol.ts";
import type { Packet } from "../wire/transport.ts";

/** Attention of every token on one grid: `data[offset + (token * height + y) * width + x]`. */
export interface Field {
  data: Float32Array;
  offset: number;
  height: number;
  width: number;
  tokens: number;
  eight_bit: boolean;
  /** Whether it was computed from queries and keys of 16 bits. */
  half?: boolean;
  /** How many layers it is the mean of. */
  layers: number;
}

const MEANS = new WeakMap<Packet, Map<string, Field>>();

function memo(packet: Packet, key: string, make: () => Field): Field {
  let known = MEANS.get(packet);
  if (!known) MEANS.set(packet, (known = new Map()));
  let field = known.get(key);
  if (!field) known.set(key, (field = make()));
  return field;
}

function plain(section: Section): Field {
  const [tokens, height, width] = section.shape.slice(-3) as [number, number, number];
  return { data: values(section), offset: 0, height, width, tokens, eight_bit: section.eight_bit, layers: 1 };
}

/** One layer of an atlas, or null where the atlas lacks it. */
export function atlas_layer(atlas: Packet, layer: string): Field | null {
  const section = atlas.get(layer);
  return section ? memo(atlas, layer, () => plain(section)) : null;
}

/** The mean of several layers, each brought onto the finest grid among them by nearest cell. */
export function atlas_mean(atlas: Packet, layers: readonly string[]): Field | null {
  const present = layers.filter((layer) => atlas.has(layer));
  if (present.length < 2) return present[0] === undefined ? null : atlas_layer(atlas, present[0]);
  const fields = () => present.map((layer) => atlas_layer(atlas, layer) as Field);
  return memo(atlas, present.join("\n"), () => mean_fields(fields()) as Field);
}

/** The same of any maps; with `times_pixels` each counts by its number of cells, so that an even share is 1 on every grid. */
export function mean_fields(fields: readonly Field[], times_pixels = false): Field | null {
  const [first] = fields;
  if (!first || (fields.length === 1 && !times_pixels)) return first ?? null;
  const height = Math.max(...fields.map((field) => field.height));
  const width = Math.max(...fields.map((field) => field.width));
  const { tokens } = first;
  const data = new Float32Array(tokens * height * width);
  const seen = new Uint16Array(data.length);
  for (const field of fields) {
    add_resampled(data, seen, field, height, width, times_pixels ? field.height * field.width : 1);
  }
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) / (seen[i] as number);
  const eight_bit = fields.some((field) => field.eight_bit);
  const layers = fields.filter((field) => !field.data.every(Number.isNaN)).length;
  return { data, offset: 0, height, width, tokens, eight_bit, layers };
}

/** Adds what is a number and counts it: a layer not seen at this step takes nothing from the mean of the others. */
function add_resampled(
  out: Float32Array,
  seen: Uint16Array,
  from: Field,
  height: number,
  width: number,
  factor: number,
): void {
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * from.width) / width));
  for (let token = 0, i = 0; token < from.tokens; token++) {
    for (let y = 0; y < height; y++) {
      const row = from.offset + (token * from.height + Math.floor(((y + 0.5) * from.height) / height)) * from.width;
      for (let x = 0; x < width; x++, i++) {
        const value = from.data[row + (columns[x] as number)] as number;
        if (Number.isNaN(value)) continue;
        out[i] = (out[i] as number) + value * factor;
        seen[i] = (seen[i] as number) + 1;
      }
    }
  }
}

/** One head of a layer packet, or the mean or the maximum of all, or the mean of some. */
export const layer_head = (packet: Packet, head: Head): Field | null => of_heads(packet, "maps", head, 4);

/** The same of maps that have no tokens: (head, row, column). */
export const single = (packet: Packet, section: string, head: Head): Field | null => of_heads(packet, section, head, 3);

function of_heads(packet: Packet, name: string, head: Head, rank: number): Field | null {
  const section = packet.get(name);
  if (!section) return null;
  const heads = section.shape[0] as number;
  const [tokens, height, width] = (rank === 4 ? section.shape.slice(1) : [1, ...section.shape.slice(1)]) as [
    number,
    number,
    number,
  ];
  const size = tokens * height * width;
  const { eight_bit } = section;
  const wrap = (data: Float32Array, offset = 0): Field => ({
    data,
    offset,
    height,
    width,
    tokens,
    eight_bit,
    layers: 1,
  });
  if (typeof head === "number") {
    if (head < 0 || head >= heads) return null;
    return memo(packet, `${name} ${head}`, () => wrap(values(section), head * size));
  }
  return memo(packet, `${name} ${head}`, () => {
    const all = values(section);
    const some = typeof head === "string" ? Array.from({ length: heads }, (_, i) => i) : head;
    const data = new Float32Array(size).fill(head === "max" ? Number.NEGATIVE_INFINITY : 0);
    for (const h of some) {
      for (let i = 0, from = h * size; i < size; i++, from++) {
        const [before, value] = [data[i] as number, all[from] as number];
        data[i] = head === "max" ? Math.max(before, value) : before + value;
      }
    }
    if (head !== "max") for (let i = 0; i < size; i++) data[i] = (data[i] as number) / some.length;
    return wrap(data);
  });
}

/** The map of some tokens, summed. `out` is reused when it has the right length. */
export function token_map(field: Field, columns: readonly number[], out?: Float32Array): Float32Array {
  const area = field.height * field.width;
  const map = out?.length === area ? out : new Float32Array(area);
  const start = (column: number) => field.offset + column * area;
  const [first, ...rest] = columns;
  if (first === undefined) return map.fill(0);
  map.set(field.data.subarray(start(first), start(first) + area));
  for (const column of rest) {
    for (let i = 0, from = start(column); i < area; i++, from++) {
      map[i] = (map[i] as number) + (field.data[from] as number);
    }
  }
  return map;
}

export const NO_TOKEN = 255;

/** Per cell, which word (its columns summed) has the most attention, as an index; NO_TOKEN where a value is NaN. */
export function strongest(field: Field, words: readonly { columns: number[] }[], out?: Uint8Array): Uint8Array {
  const area = field.height * field.width;
  const map = out?.length === area ? out : new Uint8Array(area);
  for (let cell = 0; cell < area; cell++) {
    let best = Number.NEGATIVE_INFINITY;
    let winner = NO_TOKEN;
    for (let i = 0; i < words.length; i++) {
      let value = 0;
      for (const column of (words[i] as { columns: number[] }).columns)
        value += field.data[field.offset + column * area + cell] as number;
      if (Number.isNaN(value)) {
        winner = NO_TOKEN;
        break;
      }
      if (value > best) {
        best = value;
        winner = i;
      }
    }
    map[cell] = winner;
  }
  return map;
}

/** The cell under (u, v), as row and column. */
export function cell_at(field: { height: number; width: number }, u: number, v: number): [number, number] {
  const clamp = (value: number, size: number) => Math.min(size - 1, Math.max(0, Math.floor(value * size)));
  return [clamp(v, field.height), clamp(u, field.width)];
}

/** Attention of every token column at (u, v), or the mean over all cells where no point is given. */
export function distribution(field: Field, uv: readonly [number, number] | null, out: Float32Array): Float32Array {
  const area = field.height * field.width;
  if (uv) {
    const [y, x] = cell_at(field, uv[0], uv[1]);
    for (let t = 0; t < field.tokens; t++) out[t] = field.data[field.offset + t * area + y * field.width + x] as number;
    return out;
  }
  for (let t = 0; t < field.tokens; t++) {
    let sum = 0;
    let seen = 0;
    for (let i = 0, from = field.offset + t * area; i < area; i++, from++) {
      const value = field.data[from] as number;
      if (Number.isNaN(value)) continue;
      sum += value;
      seen += 1;
    }
    out[t] = sum / seen;
  }
  return out;
}
