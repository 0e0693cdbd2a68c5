/** How the values on screen lie along the colour bar, and the two handles that say where colours begin and end. */

import { histogram } from "../maps/histogram.ts";
import { figure } from "../maps/numbers.ts";
import { type Limits, LOG_FLOOR, percentiles, position, value_at } from "../maps/scaling.ts";
import type { Transform } from "../wire/protocol.ts";
import { default_scale, type Frame } from "./frame.ts";
import { positions } from "./legend.ts";
import type { Painter, Shown } from "./painter.ts";
import type { MapValues } from "./values.ts";

const BINS = 96;
/** How near to each other the handles come, as a share of the bar. */
const CLOSEST = 1 / 128;

/** What the bar goes over: all values on screen, and the limits, which may lie beyond them. */
export function axis_of(maps: readonly Float32Array[], { lo, hi }: Limits, transform: Transform): Limits {
  const most = percentiles(maps, [0, 100]).hi;
  const floor = transform === "log" ? LOG_FLOOR : 0;
  return { lo: Math.min(floor, lo), hi: Math.max(most, hi) };
}

/** The limits after one of them was moved to a place on the bar; the other stays where it is. */
export function moved_limits(
  end: 0 | 1,
  to: number,
  limits: Limits,
  axis: Limits,
  transform: Transform,
): readonly [number, number] {
  const [low, high] = [limits.lo, limits.hi].map((value) => position(value, axis, transform)) as [number, number];
  const place = end === 0 ? Math.min(Math.max(0, to), high - CLOSEST) : Math.max(Math.min(1, to), low + CLOSEST);
  const value = Number(value_at(place, axis, transform).toPrecision(4));
  return end === 0 ? [value, limits.hi] : [limits.lo, value];
}

/** A skyline over as many units as there are bins, one high; by square roots, or a few empty corners hide all else. */
export function skyline(counts: ArrayLike<number>): string {
  const most = Math.sqrt(Math.max(1, ...Array.from(counts)));
  const heights = Array.from(counts, (count) => (1 - Math.sqrt(count) / most).toFixed(2));
  return `M0 1${heights.map((y) => `V${y}h1`).join("")}V1Z`;
}

/** Whether there is one scale whose ends can be moved: not of ranks, of words in several colours, of a difference. */
export const has_ends = (painter: Painter, { transform }: Frame, { field, values }: Shown): boolean =>
  field !== null && values.maps.length === 1 && transform !== "rank" && !only_difference(painter);

export const only_difference = ({ panes }: Painter): boolean =>
  panes.size === 1 && [...panes].every(({ role }) => role === "difference");

/** A value as the legend counts it. */
export const said = (frame: Frame, shown: Shown, value: number): string =>
  frame.transform === "uniform" ? `${figure(value * positions(frame, shown))}×` : figure(value);

let counts: Uint32Array = new Uint32Array(BINS);
const drawn = new WeakMap<Element, string>();

export function paint_histogram(painter: Painter, frame: Frame, shown: Shown): void {
  const { histogram: root } = painter.parts;
  if (!root || !has_ends(painter, frame, shown)) return;
  const on_screen = maps_on_scale(painter, frame, shown);
  const { limits } = shown;
  const { transform } = frame;
  const key = JSON.stringify([on_screen.map(({ version }) => version), frame.scale, shown.layers, shown.head]);
  const maps = on_screen.flatMap((values) => values.maps);
  if (!painter.dragging) painter.axis = axis_of(maps, limits, transform);
  const { axis } = painter;
  const all = JSON.stringify([key, axis, limits, transform]);
  if (drawn.get(root) === all) return;
  drawn.set(root, all);
  counts = histogram(maps, axis, transform, BINS, counts);
  const [picture, ...ends] = root.children;
  picture?.firstElementChild?.setAttribute("d", skyline(counts));
  ([limits.lo, limits.hi] as const).forEach((value, i) => {
    const end = ends[i] as HTMLElement;
    const place = position(value, axis, transform);
    end.style.left = `${100 * place}%`;
    end.setAttribute("aria-valuenow", place.toFixed(3));
    end.setAttribute("aria-valuetext", said(frame, shown, value));
  });
}

/** The maps that share the scale; a scale that was fixed goes over what it was fixed from. */
function maps_on_scale(painter: Painter, frame: Frame, { values, at }: Shown): readonly MapValues[] {
  const scale = frame.scale === "fixed" ? default_scale(frame.at, frame.other) : frame.scale;
  if (scale === "own") return [values];
  const tiles = [...painter.tiles.values()].filter(({ kind }) => (kind ?? frame.at.kind) === at.kind);
  const there = tiles.map(({ map }) => map.values).filter(({ field, maps }) => field && maps.length === 1);
  return there.length ? there : [values];
}
