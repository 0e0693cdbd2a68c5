/** Where each attention site sits on the page: a hand-laid U, rows by resolution; a ladder for models without one. */

import type { Kind, LayerInfo, Manifest } from "../wire/protocol.ts";

export interface Site {
  /** The first captured layer, or the label of the missing one. */
  label: string;
  /** Captured layers drawn here: several where transformer blocks are stacked (SDXL). Empty: nothing was captured. */
  layers: string[];
  /** The label without the depth. */
  name: string;
  module: string;
  height: number;
  width: number;
  heads: number;
  reason: string | null;
}

export interface Row {
  height: number;
  width: number;
  label: string;
  down: Site[];
  mid: Site[];
  up: Site[];
}

export interface Layout {
  shape: "u" | "ladder";
  rows: Row[];
  /** Sites in the network's order, for the keyboard and the narrow strip. */
  order: Site[];
}

interface Place {
  place: string;
  block: number | null;
  attention: number;
}

/** A label is place, block, attention and, where blocks are stacked, depth: `down.1.0.3`; `mid` has no block. */
export function parse_label(label: string): Place {
  const [place = label, ...numbers] = label.split(".");
  const [first = 0, second] = numbers.map(Number);
  if (place === "mid" || second === undefined) return { place, block: null, attention: first };
  return { place, block: first, attention: second };
}

/** The label without the depth. */
const site_key = ({ place, block, attention }: Place): string =>
  [place, block, attention].filter((part) => part !== null).join(".");

export function sites(manifest: Manifest, kind = "cross"): Site[] {
  const found = new Map<string, { at: Place; site: Site }>();
  for (const info of manifest.layers) {
    if (info.kind !== kind) continue;
    const key = site_key(info);
    const known = found.get(key);
    if (known) known.site.layers.push(info.layer);
    else found.set(key, { at: info, site: captured(info) });
  }
  const grids = new Map<string, LayerInfo>();
  for (const info of manifest.layers) grids.set(`${info.place}.${info.block ?? ""}`, info);
  for (const { layer, kind: of_kind, module, reason } of manifest.missing) {
    const at = parse_label(layer);
    if (of_kind !== kind || found.has(site_key(at))) continue;
    const sibling = grids.get(`${at.place}.${at.block ?? ""}`);
    const { height, width } = sibling ?? guess_grid(at, manifest.layers);
    found.set(site_key(at), {
      at,
      site: { label: layer, layers: [], name: layer, module, height, width, heads: 0, reason },
    });
  }
  const rank = ["down", "mid", "up"];
  const order = (place: string) => (rank.includes(place) ? rank.indexOf(place) : rank.length);
  return [...found.values()]
    .sort(
      (a, b) =>
        order(a.at.place) - order(b.at.place) ||
        (a.at.block ?? 0) - (b.at.block ?? 0) ||
        a.at.attention - b.at.attention,
    )
    .map(({ site }) => site);
}

function captured(info: LayerInfo): Site {
  const { layer, module, height, width, heads } = info;
  return {
    label: layer,
    layers: [layer],
    name: site_key(parse_label(layer)),
    module,
    height,
    width,
    heads,
    reason: null,
  };
}

/** A block of which nothing was captured: each block down halves the grid of the one before, each block up doubles it. */
function guess_grid(at: Place, layers: readonly LayerInfo[]): { height: number; width: number } {
  const near = layers
    .filter((info) => info.place === at.place && info.block !== null && at.block !== null)
    .sort((a, b) => Math.abs((a.block ?? 0) - (at.block ?? 0)) - Math.abs((b.block ?? 0) - (at.block ?? 0)))[0];
  if (near && at.block !== null) {
    const halvings = (at.block - (near.block ?? 0)) * (at.place === "up" ? -1 : 1);
    const scale = 2 ** -halvings;
    return {
      height: Math.max(1, Math.round(near.height * scale)),
      width: Math.max(1, Math.round(near.width * scale)),
    };
  }
  const smallest = [...layers].sort((a, b) => a.height * a.width - b.height * b.width)[0];
  return { height: smallest?.height ?? 1, width: smallest?.width ?? 1 };
}

/** A transformer block: both of its attentions, as far as they were captured. */
export interface Block {
  layer: string;
  depth: number;
  cross: LayerInfo | undefined;
  self: LayerInfo | undefined;
}

/** The blocks of the transformer in which a layer stands, from the first on. */
export function blocks_of(manifest: Manifest, layer: LayerInfo): Block[] {
  const key = site_key(layer);
  const found = new Map<string, Block>();
  for (const info of manifest.layers) {
    if (site_key(info) !== key) continue;
    const known = found.get(info.layer);
    const block = known ?? { layer: info.layer, depth: info.depth ?? 0, cross: undefined, self: undefined };
    block[info.kind as Kind] = info;
    if (!known) found.set(info.layer, block);
  }
  return [...found.values()].sort((a, b) => a.depth - b.depth);
}

/** Sites one after the other on the same grid, on the same way: what a narrow page shows together. */
export function runs(order: readonly Site[]): { label: string; sites: Site[] }[] {
  const out: { label: string; sites: Site[] }[] = [];
  let last = "";
  for (const site of order) {
    const { place } = parse_label(site.label);
    const grid = grid_label(site.height, site.width);
    const key = `${place} ${grid}`;
    if (key !== last) out.push({ label: key, sites: [] });
    out.at(-1)?.sites.push(site);
    last = key;
  }
  return out;
}

export const grid_label = (height: number, width: number): string =>
  height === width ? `${height}²` : `${height}×${width}`;

export function lay_out(manifest: Manifest, kind = "cross"): Layout {
  const order = sites(manifest, kind);
  const place = (site: Site) => parse_label(site.label).place;
  const is_u = order.every((site) => ["down", "mid", "up"].includes(place(site)));
  const rows = new Map<string, Row>();
  const row_of = (key: string, site: Site, label: string): Row => {
    let row = rows.get(key);
    if (!row) rows.set(key, (row = { height: site.height, width: site.width, label, down: [], mid: [], up: [] }));
    return row;
  };
  for (const site of order) {
    const grid = grid_label(site.height, site.width);
    if (!is_u) row_of(place(site), site, place(site)).mid.push(site);
    // The middle block closes the U below everything, also where its grid is that of the row above.
    else if (place(site) === "mid") row_of("mid", site, grid).mid.push(site);
    else row_of(grid, site, grid)[place(site) as "down" | "up"].push(site);
  }
  const list = [...rows.values()];
  if (is_u) {
    list.sort((a, b) => Number(a.mid.length > 0) - Number(b.mid.length > 0) || b.height * b.width - a.height * a.width);
  }
  return { shape: is_u ? "u" : "ladder", rows: list, order };
}
