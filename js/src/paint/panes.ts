/** The large maps: A, B, their difference, one under the other, or both directions of self-attention. */

import { centroid, centroid_shift, correlation, difference, jensen_shannon, on_coarser } from "../maps/compare.ts";
import { contour_path } from "../maps/contour.ts";
import { colour_difference, diverging, magnitude } from "../maps/diverging.ts";
import { cell_at } from "../maps/fields.ts";
import { half_mass } from "../maps/measures.ts";
import { figure, probability } from "../maps/numbers.ts";
import { type Coordinate, value_name } from "../scope/comparing.ts";
import { how_many } from "../scope/legend.ts";
import { type At, head_name } from "../scope/selection.ts";
import type { Compare } from "../scope/state.ts";
import { badge } from "./badges.ts";
import { cell_value, draw } from "./drawing.ts";
import { type Found, find } from "./finding.ts";
import { type Frame, words_at } from "./frame.ts";
import { type Ends, locked_limits } from "./limits.ts";
import type { Painter } from "./painter.ts";
import { paint_picture } from "./picture.ts";
import { flag, type PaneTarget, place, type Role, type Subject, write } from "./targets.ts";
import { MapValues } from "./values.ts";

/** What is said of A and B. */
export interface Comparison {
  limit: number;
  height: number;
  width: number;
  correlation: number;
  jensen_shannon: number;
  /** In pixels of the picture. */
  shift: number;
}

/** What a level shows large: all layers, or one with its heads' mean, or what is chosen of them. */
export function subject_of({ scope }: Frame, at: At): Subject {
  if (at.level === "unet") return { layers: scope.facts_of(at).layers[at.kind].map(({ layer }) => layer), head: null };
  const single = at.level === "layer" || at.level === "block" ? typeof at.head === "number" : false;
  return { layers: [at.layer.layer], head: single ? "mean" : at.head };
}

export function paint_panes(painter: Painter, frame: Frame, shared: Ends | null): Comparison | null {
  let comparison: Comparison | null = null;
  for (const pane of painter.panes) {
    const role: Role = painter.blink && pane.role === "a" && frame.other ? "b" : pane.role;
    const found = role === "difference" ? null : paint_map(painter, pane, role, frame, shared);
    if (role === "difference") comparison = paint_difference(pane, frame);
    flag(pane.root, "as-coarse", Boolean(found?.coarse && found.field));
    place(pane.cross, frame.uv);
    pane.map.canvas.classList.toggle("as-smooth", frame.smooth);
    pane.second.canvas.classList.toggle("as-smooth", frame.smooth);
  }
  // The numbers are there in every way of comparing, whether or not the difference is drawn.
  const numbers = comparison ?? (frame.other ? compare(HIDDEN, frame) : null);
  const { comparison: list } = painter.parts;
  if (list) said_of(numbers).forEach((text, i) => write(list.querySelectorAll("dd")[i], text));
  return numbers;
}

/** Correlation, Jensen-Shannon divergence, how far the centroid moved, and what was subtracted. */
function said_of(numbers: Comparison | null): string[] {
  if (!numbers) return ["–", "–", "–", "–"];
  const { correlation, jensen_shannon, shift, height, width, limit } = numbers;
  return [
    correlation.toFixed(2),
    `${jensen_shannon.toFixed(3)} bits`,
    `${shift.toFixed(1)} px`,
    `±${figure(limit)} at ${height}×${width}`,
  ];
}

function paint_map(painter: Painter, pane: PaneTarget, role: Role, frame: Frame, shared: Ends | null): Found {
  const at = role === "b" && frame.other ? frame.other : frame.at;
  const hovered = role === "b" ? null : frame.hover.tile;
  const subject = hovered ?? subject_of(frame, at);
  const kind = hovered?.kind ?? at.kind;
  const here = kind === at.kind ? at : frame.scope.at_of[kind].peek();
  const direction = role === "row" || role === "column" ? role : here.direction;
  const found = find(frame, here, subject, direction);
  const { map } = pane;
  flag(pane.root, "as-stale", found.field === null);
  if (found.field) {
    map.values.update(found.field, words_in(frame, here), frame);
    draw(map, frame, here, shared ?? locked_limits(frame, here, subject, map.values), frame.blend === "mask");
    if (role === "swipe" && frame.other) paint_second(pane, frame, shared);
  }
  write(pane.badge, badge(found, subject.head ?? "mean", map.values));
  paint_picture(painter, pane, frame, here, found.field);
  paint_contour(pane, frame);
  write(pane.title, title(frame, here, found, hovered?.name, role));
  write(pane.value, found.field && frame.uv ? said(frame, here, map.values) : "");
  return found;
}

const words_in = (frame: Frame, at: At): readonly (readonly number[])[] =>
  at.kind === "self" ? [[0]] : words_at(frame, at);

function paint_second(pane: PaneTarget, frame: Frame, shared: Ends | null): void {
  const other = frame.other as At;
  const subject = subject_of(frame, other);
  const { field } = find(frame, other, subject);
  if (!field) return;
  const { values } = pane.second;
  values.update(field, words_in(frame, other), frame);
  draw(pane.second, frame, other, shared ?? locked_limits(frame, other, subject, values), frame.blend === "mask");
}

/** Around the cells that hold half of the map's mass; vector, as it leaves in figures too. */
function paint_contour({ map, contour }: PaneTarget, { blend }: Frame): void {
  const { values } = map;
  const key = `${blend} ${values.version}`;
  if (contour.dataset.key === key) return;
  contour.dataset.key = key;
  const around = (map: Float32Array) => contour_path(map, values.height, values.width, half_mass(map).level);
  contour.setAttribute("d", blend === "contour" ? values.maps.map(around).join("") : "");
}

const HIDDEN = { a: new MapValues(), b: new MapValues() };

function compare(
  { a, b }: { a: MapValues; b: MapValues },
  frame: Frame,
): (Comparison & { minus: Float32Array }) | null {
  const { at, other, scope } = frame;
  if (!other) return null;
  const plain = { ...frame, hues: false };
  for (const [values, where] of [
    [a, at],
    [b, other],
  ] as const) {
    const { field, coarse } = find(frame, where, subject_of(frame, where));
    if (!field || coarse) return null;
    values.update(field, words_in(frame, where), plain);
  }
  if (!a.map || !b.map) return null;
  const [one, two] = on_coarser(
    { ...a, map: a.map, height: a.height, width: a.width },
    { map: b.map, height: b.height, width: b.width },
  );
  const minus = difference(one.map, two.map);
  const { width, height } = scope.manifest;
  const middle = (grid: typeof one) => centroid(grid.map, grid.height, grid.width);
  return {
    minus,
    limit: magnitude(minus),
    height: one.height,
    width: one.width,
    correlation: correlation(one.map, two.map),
    jensen_shannon: jensen_shannon(one.map, two.map),
    shift: centroid_shift(middle(one), middle(two), width, height),
  };
}

function paint_difference(pane: PaneTarget, frame: Frame): Comparison | null {
  const result = compare({ a: pane.map.values, b: pane.second.values }, frame);
  const possible = frame.at.kind === "self" || (frame.columns.length > 0 && frame.other?.columns.length !== 0);
  flag(pane.root, "as-stale", result === null && possible);
  write(pane.title, possible ? "A − B" : "A − B: choose a word");
  if (!result) {
    write(pane.badge, "");
    write(pane.value, "");
    return null;
  }
  const { minus, limit, height, width } = result;
  const key = JSON.stringify([pane.map.values.version, pane.second.values.version, frame.diverging]);
  if (pane.map.drawn !== key) {
    pane.map.drawn = key;
    pane.map.paint(height, width, (pixels) => colour_difference(minus, limit, diverging(frame.diverging), pixels));
  }
  write(pane.badge, `diff at ${height}×${width}`);
  if (frame.uv) {
    const [y, x] = cell_at(result, ...frame.uv);
    const value = minus[y * width + x] as number;
    write(pane.value, `${value < 0 ? "−" : "+"}${probability(Math.abs(value))}`);
  } else write(pane.value, "");
  return result;
}

function said(frame: Frame, at: At, values: MapValues): string {
  const [y, x] = cell_at(values, ...(frame.uv as readonly [number, number]));
  const value = cell_value(frame, at, values, y * values.width + x);
  return typeof value === "number" ? probability(value) : value;
}

function title(frame: Frame, at: At, found: Found, hovered: string | undefined, role: Role): string {
  if (frame.other && !hovered) return compared_title(frame, at, role === "b");
  const { scope } = frame;
  const { chips, layers } = scope.facts_of(at);
  const all = layers[at.kind].length;
  const subject = subject_of(frame, at);
  const where =
    hovered ??
    (at.level === "unet" && all > 1
      ? `mean of ${how_many(found.field?.layers ?? all, all)} layers`
      : `${at.layer.layer}, ${head_name(subject.head ?? "mean")}`);
  if (at.kind === "self") {
    const { query } = found;
    const what = query ? (query.direction === "row" ? "attends to" : "attended by") : "received attention";
    return `${where} · ${what}`;
  }
  const columns = words_at(frame, at).flat();
  if (columns.length === 0) return `${where} · strongest word per pixel`;
  const names = chips.filter((chip) => chip.columns.some((column) => columns.includes(column)));
  return `${where} · ${names.map((chip) => `‘${chip.text}’`).join(" + ")}`;
}

/** Of A and B only that in which they differ: the rest is the same, and the legend says it. */
function compared_title(frame: Frame, at: At, second: boolean): string {
  const { scope } = frame;
  const changed = Object.keys(scope.state.is.compare.peek() ?? {}) as Coordinate[];
  const { token } = scope.state.is;
  const here: Compare = {
    ...at,
    layer: at.layer.layer,
    token: token.peek(),
    ...(second && scope.state.is.compare.peek()),
  };
  const parts = changed.map((name) => value_name(scope, name, here[name]));
  return `${second ? "B" : "A"} · ${parts.join(" · ")}`;
}
