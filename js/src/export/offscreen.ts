/** A painter whose panes are on no page: figures and thumbnails come from the code that paints the screen. */

import { Painter } from "../paint/painter.ts";
import { MapCanvas, type PaneTarget, type Role, type Subject, type TileTarget } from "../paint/targets.ts";
import { blocks_of } from "../scope/layout.ts";
import type { Scope } from "../scope/scope.ts";
import type { Head, Kind } from "../wire/protocol.ts";

/** A small map beside the large one; they share a scale. */
export interface Small extends Subject {
  name: string;
  kind?: Kind;
}

const div = (): HTMLElement => document.createElement("div");
const map = (): MapCanvas => new MapCanvas(document.createElement("canvas"));
const path = (): SVGPathElement => document.createElementNS("http://www.w3.org/2000/svg", "path");

const pane = (role: Role): PaneTarget => ({
  role,
  root: div(),
  base: document.createElement("canvas"),
  map: map(),
  second: map(),
  contour: path(),
  cross: div(),
  cell: div(),
  pin: div(),
  region: div(),
  title: div(),
  badge: div(),
  value: div(),
});

const tile = (small: Small): TileTarget => ({
  ...small,
  root: div(),
  map: map(),
  cross: div(),
  value: div(),
  spark: null,
  now: null,
});

/** Paints what a scope shows, once; nothing that the pointer is over. */
export function paint_apart(scope: Scope, roles: readonly Role[], small: readonly Small[]): Painter {
  const fail = (error: Error) => {
    throw error;
  };
  const painter = new Painter(scope, div(), fail, () => {});
  for (const role of roles) painter.panes.add(pane(role));
  for (const [i, each] of small.entries()) painter.tiles.set(String(i), tile(each));
  Object.assign(painter.parts, { comparison: div(), readout_where: div() });
  painter.paint();
  return painter;
}

/** All that a view compares, side by side. */
export function roles_of({ at, other_at }: Scope): readonly Role[] {
  if (other_at.peek()) return ["a", "b", "difference"];
  const { kind, level } = at.peek();
  return kind === "self" && level === "head" ? ["row", "column"] : ["a"];
}

/** The small maps that a level has beside the large one. */
export function small_maps({ at, facts }: Scope): Small[] {
  const { level, kind, layer } = at.peek();
  if (level === "block") {
    const blocks = blocks_of(facts.peek().manifest, layer).filter((block) => block[kind]);
    return blocks.map((block) => ({ name: block.layer, layers: [block.layer], head: null }));
  }
  if (level === "unet") {
    const sites = facts.peek().layouts[kind].order.filter(({ layers }) => layers.length);
    return sites.map(({ name, layers }) => ({ name, layers, head: null }));
  }
  const single = Array.from({ length: layer.single_heads }, (_, head) => head);
  const heads: Head[] = single.length ? ["mean", "max", ...single] : ["mean"];
  return heads.map((head) => ({ name: String(head), layers: [layer.layer], head }));
}
