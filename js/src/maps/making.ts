/** What a file need not carry, since something else in it gives the same: atlases are a quarter of its size, rows far more. */

import { type Section, values } from "../wire/decode.ts";
import type { Held, Made } from "../wire/embedded.ts";
import { type Request, request } from "../wire/protocol.ts";
import { column_of, open_qk, row_of } from "./selfattention.ts";

export function make(item: Request, held: Held): Made[] | null {
  if (item.kind === "atlas") return atlas(item, held);
  if (item.kind === "strip") return strip(item, held);
  return item.kind === "rows" ? rows(item, held) : null;
}

/** The mean over heads of every layer of cross-attention, where the heads of all are there. */
function atlas(item: Request, { manifest, packet }: Held): Made[] | null {
  const made: Made[] = [];
  for (const { layer, kind } of manifest.layers) {
    if (kind === "self") continue;
    const maps = packet(request("layer", { ...item, layer }))?.get("maps");
    if (!maps) return null;
    made.push({ name: layer, shape: maps.shape.slice(1), values: mean_over_heads(maps), eight_bit: maps.eight_bit });
  }
  return made;
}

/** One cell at every step: of the maps that are there, since the file may hold only some. */
function strip(item: Request, { manifest, packet }: Held): Made[] | null {
  const { steps, tokens } = manifest;
  const info = manifest.layers.find(({ layer, kind }) => layer === item.layer && kind === "cross");
  const { part: cell, ...whole } = item;
  if (!info || cell === undefined || cell < 0 || cell >= info.height * info.width) return null;
  const [heads, area] = [Math.max(1, info.single_heads), info.height * info.width];
  const all = new Float32Array(steps.length * heads * tokens.length).fill(Number.NaN);
  steps.forEach(({ step }, i) => {
    const maps = packet(request("layer", { ...whole, step }))?.get("maps");
    if (!maps) return;
    for (let k = 0; k < heads * tokens.length; k++)
      all[i * heads * tokens.length + k] = values(maps)[k * area + cell] as number;
  });
  if (all.every(Number.isNaN)) return null;
  return [{ name: "values", shape: [steps.length, heads, tokens.length], values: all, eight_bit: true }];
}

function mean_over_heads(maps: Section): Float32Array {
  const all = values(maps);
  const heads = maps.shape[0] as number;
  const means = new Float32Array(all.length / heads);
  for (let head = 0, i = 0; head < heads; head++)
    for (let k = 0; k < means.length; k++, i++) means[k] = (means[k] as number) + (all[i] as number) / heads;
  return means;
}

/** Row and column of one cell in every head, where the queries and keys of all are there. */
function rows(item: Request, { manifest, packet }: Held): Made[] | null {
  const info = manifest.layers.find(({ layer, kind }) => layer === item.layer && kind === "self");
  const cell = item.part;
  if (!info || cell === undefined || cell < 0 || cell >= info.height * info.width) return null;
  const area = info.height * info.width;
  const shape = [info.heads, info.height, info.width];
  const row = { name: "row", shape, values: new Float32Array(info.heads * area), eight_bit: false };
  const column = { ...row, name: "column", values: new Float32Array(info.heads * area) };
  for (let head = 0; head < info.heads; head++) {
    const found = packet(request("qk", { ...item, part: head }));
    if (!found) return null;
    const qk = open_qk(found);
    row_of(qk, cell, row.values.subarray(head * area, (head + 1) * area));
    column_of(qk, cell, column.values.subarray(head * area, (head + 1) * area));
  }
  return [row, column];
}
