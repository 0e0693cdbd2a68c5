/** Finds the map that a tile or a pane asks for, or what stands in for it until it comes. */

import { atlas_layer, atlas_mean, cell_at, type Field, layer_head, mean_fields, single } from "../maps/fields.ts";
import { queries_in } from "../maps/region.ts";
import { renormalised } from "../maps/scaling.ts";
import {
  column_of,
  max_of,
  mean_of,
  open_qk,
  type QueriesKeys,
  region_column,
  region_row,
  row_of,
} from "../maps/selfattention.ts";
import { type At, heads_in } from "../scope/selection.ts";
import type { Direction, Head, LayerInfo, Region } from "../wire/protocol.ts";
import type { Packet } from "../wire/transport.ts";
import { counting, type Frame } from "./frame.ts";
import type { Subject } from "./targets.ts";

/** The best there is of what was asked for. */
export interface Found {
  field: Field | null;
  /** Something coarser, or something else, until it comes. */
  coarse: boolean;
  /** Whose map it is: the atlas has no single heads. */
  head: Head;
  /** Of self-attention: whose row or column it is; null where it is what every pixel receives. */
  query: Query | null;
  /** Whether values are multiples of an even share, as over layers of several grids they have to be. */
  shares: boolean;
}

/** A pixel of a grid, or a box of them. */
export interface Query {
  cells: ArrayLike<number>;
  direction: Direction;
}

const NOTHING: Found = { field: null, coarse: false, head: "mean", query: null, shares: false };

export function find(frame: Frame, at: At, subject: Subject): Found {
  if (at.kind === "self") return find_self(frame, at, subject);
  const found = find_cross(frame, at, subject);
  if (!found.field || !frame.renormalise) return found;
  return { ...found, field: renormal(found.field, counting(frame, at)) };
}

const RENORMALISED = new WeakMap<Field, Map<string, Field>>();

function renormal(field: Field, columns: number[]): Field {
  let known = RENORMALISED.get(field);
  if (!known) RENORMALISED.set(field, (known = new Map()));
  const key = columns.join();
  let out = known.get(key);
  if (!out) known.set(key, (out = renormalised(field, columns)));
  return out;
}

function find_cross({ scope }: Frame, at: At, { layers, head }: Subject): Found {
  const atlas = scope.packet("atlas", at);
  if (head === null) return { ...NOTHING, field: atlas ? atlas_mean(atlas, layers) : null };
  const layer = layers[0] as string;
  const packet = scope.packet("layer", at, { layer });
  const field = packet && layer_head(packet, head);
  if (field) return { ...NOTHING, field, head };
  // The atlas has the mean over heads only: shown until the packet comes, and marked.
  return { ...NOTHING, field: atlas ? atlas_layer(atlas, layer) : null, coarse: true };
}

function find_self(frame: Frame, at: At, { layers, head }: Subject): Found {
  const infos = frame.scope.facts_of(at).layers.self.filter(({ layer }) => layers.includes(layer));
  const [info] = infos;
  if (!info) return NOTHING;
  const { direction } = at;
  const whose = head ?? "mean";
  // Over several layers rows come from the kernel, and only of the pinned pixel: hovering asks it for nothing. One layer
  // that these are compared with is asked about the same pixel, and counted in the same unit.
  const shares = head === null || frame.at.level === "unet";
  const uv = shares ? frame.pinned : frame.uv;
  const region = shares ? null : box_of(frame);
  const query = { cells: cells(frame, info, shares), direction };
  const exact =
    !uv && !region ? null : head === null ? rows(frame, at, infos, direction) : row(frame, at, info, whose, query);
  if (exact) {
    return { ...NOTHING, field: head !== null && shares ? in_shares(exact) : exact, head: whose, query, shares };
  }
  const field = received(frame, at, infos, whose);
  return { ...NOTHING, field, head: whose, coarse: Boolean(uv || region), shares: true };
}

const SHARES = new WeakMap<Field, Field>();

function in_shares(field: Field): Field {
  let known = SHARES.get(field);
  if (!known) SHARES.set(field, (known = { ...field, ...mean_fields([field], true) }));
  return known;
}

/** A box that is being dragged is looked at when it is let go, and not while the pointer is somewhere else. */
export const box_of = ({ region, hover }: Frame): Region | null => (hover.uv || hover.region ? null : region);

/** The cells whose rows are looked at: those of the box, else the one under the point, or under the pin alone. */
function cells(frame: Frame, { height, width }: LayerInfo, pinned: boolean): ArrayLike<number> {
  const region = pinned ? null : box_of(frame);
  if (region) return queries_in(region, height, width);
  const [u, v] = (pinned ? frame.pinned : frame.uv) ?? [0.5, 0.5];
  const [y, x] = cell_at({ height, width }, u, v);
  return [y * width + x];
}

function received({ scope }: Frame, at: At, infos: readonly LayerInfo[], head: Head): Field | null {
  const here = infos.flatMap(({ layer }) => {
    const packet = scope.packet("received", at, { layer });
    return packet ? [{ layer, packet }] : [];
  });
  const fields = () => here.flatMap(({ packet }) => single(packet, "maps", head) ?? []);
  if (!here[0]) return null;
  if (here.length === 1) return single(here[0].packet, "maps", head);
  return memo(here[0].packet, `${head} ${here.map(({ layer }) => layer)}`, () => mean_fields(fields()) as Field);
}

/** Mean over layers, each times its number of pixels: else the finer ones would count for nothing. */
function rows(frame: Frame, at: At, infos: readonly LayerInfo[], direction: Direction): Field | null {
  const here = infos.flatMap((info) => {
    const [part] = Array.from(cells(frame, info, true)) as [number];
    return frame.scope.packet("rows", at, { layer: info.layer, part }) ?? [];
  });
  const [first] = here;
  if (!first || here.length < infos.length) return null;
  const fields = () => here.map((packet) => single(packet, direction, "mean") as Field);
  return memo(first, `${direction} ${infos.map(({ layer }) => layer)}`, () => mean_fields(fields(), true) as Field);
}

/** The last rows of every head: the heads grid needs each of them more than once. */
const ROWS = new WeakMap<Packet, Map<string, Field>>();
const KEPT = 6;

function memo(packet: Packet, key: string, make: () => Field): Field {
  let known = ROWS.get(packet);
  if (!known) ROWS.set(packet, (known = new Map()));
  let field = known.get(key);
  if (!field) {
    known.set(key, (field = make()));
    if (known.size > KEPT) known.delete(known.keys().next().value as string);
  }
  return field;
}

function row(frame: Frame, at: At, info: LayerInfo, head: Head, { cells: picked, direction }: Query): Field | null {
  const { layer, height, width } = info;
  const some = heads_in(head, info);
  const packets = some.flatMap((part) => frame.scope.packet("qk", at, { layer, part }) ?? []);
  if (packets.length < some.length || !packets[0]) {
    const part = picked[0] as number;
    const packet = picked.length === 1 ? frame.scope.packet("rows", at, { layer, part }) : undefined;
    return packet ? single(packet, direction, head) : null;
  }
  const key = [direction, ...Array.from(picked)].join();
  const wrap = (packet: Packet, data: Float32Array): Field => {
    const half = packet.get("query")?.encoding === "f16";
    return { data, offset: 0, height, width, tokens: 1, eight_bit: false, half, layers: 1 };
  };
  const each = packets.map((packet) =>
    memo(packet, key, () => wrap(packet, evaluate(open_qk(packet), picked, direction))),
  );
  if (typeof head === "number") return each[0] as Field;
  const [first] = packets;
  return memo(first, `${head} of ${key}`, () =>
    wrap(first, (head === "max" ? max_of : mean_of)(each.map((field) => field.data))),
  );
}

function evaluate(qk: QueriesKeys, picked: ArrayLike<number>, direction: Direction): Float32Array {
  if (picked.length > 1) return (direction === "row" ? region_row : region_column)(qk, picked);
  return (direction === "row" ? row_of : column_of)(qk, picked[0] as number);
}
