/** The large maps: A, B, their difference, one under the other, or both directions of self-attention. */

import { centroid, centroid_shift, correlation, difference, jensen_shannon, on_coarser } from "../maps/compare.ts";
import { contour_path } from "../maps/contour.ts";
import { colour_difference, diverging, magnitude } from "../maps/diverging.ts";
import { cell_at } from "../maps/fields.ts";
import { half_mass } from "../maps/measures.ts";
import { figure, probability } from "../maps/numbers.ts";
import { type Coordinate, value_name } from "../scope/comparing.ts";
import { word_names } from "../scope/facts.ts";
import { how_many } from "../scope/legend.ts";
import { type At, head_name } from "../scope/selection.ts";
import { badge } from "./badges.ts";
import { blend_of, cell_value, draw } from "./drawing.ts";
import { type Found, find } from "./finding.ts";
import { type Frame, words_at } from "./frame.ts";
import { type Ends, locked_limits } from "./limits.ts";
import type { Painter } from "./painter.ts";
import { mark_cell, paint_picture } from "./picture.ts";
import { flag, type PaneTarget, place, type Role, type Subject, write } from "./targets.ts";
import type { MapValues } from "./values.ts";

/** The values of A and B that are set against each other. */
export interface Compared {
  a: MapValues;
  b: MapValues;
}

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
  const mean = at.level === "block" || (at.level === "layer" && typeof at.head === "number");
  return { layers: [at.layer.layer], head: mean ? "mean" : at.head };
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
  const numbers = comparison ?? (frame.other ? compare(painter.compared, frame) : null);
  const { comparison: list } = painter.parts;
  if (list) said_of(numbers).forEach((text, i) => write(list.querySelectorAll("dd")[i], text));
  return numbers;
}

/** Correlation, Jensen-Shannon divergence, how far the centroid moved, and what was subtracted. */
function said_of(numbers: Comparison | null): string[] {
  if (!numbers) return ["–", "–", "–", "–"];
  const { correlation, jensen_shannon, shift, height, width, limit } = numbers;
  return [
    correlation.toFixed(2).replace("-", "−"),
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
  const seen = kind === at.kind ? at : frame.scope.at_of[kind].peek();
  const here = role === "row" || role === "column" ? { ...seen, direction: role } : seen;
  const found = find(frame, here, subject);
  const { map } = pane;
  flag(pane.root, "as-stale", found.field === null);
  if (found.field) {
    map.values.update(found.field, here, frame);
    const mask = blend_of(frame, here, map.values) === "mask";
    draw(map, frame, here, shared ?? locked_limits(frame, here, subject, map.values), mask);
    if (role === "swipe" && frame.other) paint_second(pane, frame, shared);
  }
  write(pane.badge, badge(found, subject.head ?? "mean", map.values));
  paint_picture(painter, pane, frame, here, found.field);
  paint_contour(pane, frame);
  write(pane.title, title(frame, here, found, hovered?.name, role));
  write(pane.value, found.field && frame.uv ? said(frame, here, map.values) : "");
  return found;
}

function paint_second(pane: PaneTarget, frame: Frame, shared: Ends | null): void {
  const other = frame.other as At;
  const subject = subject_of(frame, other);
  const { field } = find(frame, other, subject);
  if (!field) return;
  const { values } = pane.second;
  values.update(field, other, frame);
  const mask = blend_of(frame, other, values) === "mask";
  draw(pane.second, frame, other, shared ?? locked_limits(frame, other, subject, values), mask);
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

function compare({ a, b }: Compared, frame: Frame): (Comparison & { minus: Float32Array }) | null {
  const { at, other, scope } = frame;
  if (!other) return null;
  const plain = { ...frame, hues: false };
  for (const [values, where] of [
    [a, at],
    [b, other],
  ] as const) {
    const { field, coarse } = find(frame, where, subject_of(frame, where));
    if (!field || coarse) return null;
    values.update(field, where, plain);
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
  mark_cell(pane, frame, result && { height: result.height, width: result.width });
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
  if (frame.other && !hovered) {
    const [a, b] = [frame.at, frame.other].map((each) => compared_title(frame, each)) as [string, string];
    return role === "swipe" ? `${a} | ${b}` : role === "b" ? b : a;
  }
  const facts = frame.scope.facts_of(at);
  const all = facts.layers[at.kind].length;
  const subject = subject_of(frame, at);
  const where =
    hovered ??
    (at.level === "unet" && all > 1
      ? `mean of ${how_many(found.field?.layers ?? all, all)} layers`
      : `${at.layer.layer}, ${head_name(subject.head ?? "mean")}`);
  if (at.kind === "self") {
    const { query } = found;
    if (query) return `${where} · ${query.direction === "row" ? "attends to" : "attended by"}`;
    return `${where} · received attention${role === "column" ? "; point at a pixel" : ""}`;
  }
  return `${where} · ${word_names(facts, words_at(frame, at)) || "strongest word per pixel"}`;
}

/** Of A and B only that in which they differ: the rest is the same, and the legend says it. */
function compared_title(frame: Frame, at: At): string {
  const { scope, other } = frame;
  const second = at === other;
  const facts = scope.facts_of(at);
  const asked = scope.state.is.compare.peek() ?? {};
  const words = word_names(facts, words_at(frame, at)) || "strongest word";
  const names: Record<Coordinate, () => string> = {
    capture: () => value_name(scope, "capture", at.capture),
    layer: () => (at.level === "unet" ? `mean of ${facts.layers[at.kind].length} layers` : at.layer.layer),
    head: () => head_name(subject_of(frame, at).head ?? "mean"),
    step: () => `step ${at.step}`,
    token: () => words,
    image: () => facts.manifest.images[at.image] ?? String(at.image),
    branch: () => at.branch,
    direction: () => value_name(scope, "direction", at.direction),
  };
  const parts = (Object.keys(asked) as Coordinate[]).map((name) => names[name]());
  // What the other prompt lacks is no word there.
  const [a, b] = [frame.at, other ?? frame.at].map((each) => words_at(frame, each).length);
  if (second && at.kind === "cross" && asked.token === undefined && a !== b) parts.push(words);
  return `${second ? "B" : "A"} · ${parts.join(" · ")}`;
}
