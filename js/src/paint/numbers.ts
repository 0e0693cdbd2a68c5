/** Token bars and the read-out: the numbers at the pointer, the pin, in a box, or over the whole map. */

import { cell_at, distribution, type Field } from "../maps/fields.ts";
import { entropy_bits, half_mass, peak } from "../maps/measures.ts";
import { probability } from "../maps/numbers.ts";
import { cells_in, MOST_QUERIES, region_distribution } from "../maps/region.ts";
import type { At } from "../scope/selection.ts";
import { find } from "./finding.ts";
import { counting, type Frame } from "./frame.ts";
import type { Painter, Shown } from "./painter.ts";
import { subject_of } from "./panes.ts";
import { flag, write } from "./targets.ts";

const sum = (row: Float32Array, columns: readonly number[]): number =>
  columns.reduce((total, column) => total + (row[column] ?? 0), 0);

/** At the hovered point, in the box, at the pin, or on average. */
export function look(field: Field, { hover, uv, region }: Frame, out: Float32Array): Float32Array {
  if (region && !hover.uv) return region_distribution(field, cells_in(region, field.height, field.width), out);
  return distribution(field, uv, out);
}

export function paint_bars(painter: Painter, frame: Frame, shown: Shown): void {
  const { field, at } = shown;
  if (!field || at.kind !== "cross") return;
  const row = look(field, frame, painter.row(field.tokens));
  const other = second_row(frame);
  const bars = [...painter.bars.values()];
  const dropped = (column: number) => !counted.has(column);
  const counted = new Set(counting(frame, at));
  const sums = bars.map((bar) => sum(row, bar.columns));
  const seconds = other ? bars.map((bar) => sum(other, bar.columns)) : [];
  const most = [...sums.filter((_, i) => !bars[i]?.columns.some(dropped)), ...seconds];
  const longest = Math.max(...most.filter((value) => !Number.isNaN(value)), 1e-9);
  const by_value = frame.scope.state.is.order.peek() === "value";
  const order = bars.map((_, i) => i).sort((a, b) => (sums[b] as number) - (sums[a] as number));
  bars.forEach((bar, i) => {
    const value = sums[i] as number;
    bar.fill.style.transform = `scaleX(${Number.isNaN(value) ? 0 : Math.min(1, value / longest)})`;
    write(bar.value, probability(value));
    flag(bar.row, "as-chosen", frame.columns.length > 0 && bar.columns.every((c) => frame.columns.includes(c)));
    bar.row.style.order = by_value ? String(order.indexOf(i)) : "";
    if (!bar.tick) return;
    bar.tick.style.visibility = other ? "visible" : "hidden";
    if (other) bar.tick.style.transform = `translateX(${100 * Math.min(1, (seconds[i] || 0) / longest)}%)`;
  });
  for (const bar of painter.chip_bars.values()) {
    bar.fill.style.transform = `scaleX(${Math.min(1, sum(row, bar.columns) / longest || 0)})`;
    flag(bar.row, "as-seen", frame.hover.columns !== null && bar.columns.every((c) => frame.columns.includes(c)));
  }
  write(painter.parts.total, sum(row, [...counted]).toFixed(3));
}

/** The same of B, where it has the same words. */
export function second_row(frame: Frame): Float32Array | null {
  const { other } = frame;
  if (!other || other.capture || other.kind !== "cross") return null;
  const { field } = find(frame, other, subject_of(frame, other));
  return field && look(field, frame, new Float32Array(field.tokens));
}

export function paint_readout(painter: Painter, frame: Frame, shown: Shown): void {
  const { readout_value, readout_where, concentration } = painter.parts;
  const { field, at, values } = shown;
  if (!field) {
    write(readout_value, "–");
    write(readout_where, "not here yet");
    return;
  }
  const names = at.kind === "cross" ? cross_value(painter, frame, field) : self_value(frame, shown);
  write(readout_value, names);
  write(readout_where, where(frame, at, field));
  if (concentration) write(concentration, values.maps.length === 1 ? concentrated(frame, at, shown) : "");
}

function cross_value(painter: Painter, frame: Frame, field: Field): string {
  const { contenders, chips } = frame.scope.facts.peek();
  const row = look(field, frame, painter.row(field.tokens));
  let { columns } = frame;
  if (columns.length === 0) {
    // The strongest word, as the map and the bars show it.
    const sums = contenders.map((chip) => sum(row, chip.columns));
    columns = contenders[sums.indexOf(Math.max(...sums))]?.columns ?? [];
  }
  const names = chips
    .filter((chip) => chip.columns.some((column) => columns.includes(column)))
    .map((chip) => `‘${chip.text}’`);
  return columns.length ? `${probability(sum(row, columns))} ${names.join(" + ")}` : "–";
}

function self_value({ uv }: Frame, { field, values, query, shares }: Shown): string {
  const map = values.map;
  if (!field || !map) return "–";
  const [y, x] = cell_at(field, ...(uv ?? ([0, 0] as const)));
  const here = map[y * field.width + x] as number;
  if (shares) return uv ? `${probability(here)}× an even share` : "received attention";
  const total = map.reduce((all, value) => all + value, 0);
  return `${query?.direction} sums to ${total.toFixed(3)}`;
}

function where({ uv, region, hover }: Frame, at: At, field: Field): string {
  if (region && !hover.uv) {
    const { length } = cells_in(region, field.height, field.width);
    const some = at.kind === "self" && length > MOST_QUERIES ? `${MOST_QUERIES} of ` : "";
    return `mean over ${some}${length} ${length === 1 ? "cell" : "cells"} of the box`;
  }
  if (!uv) return "mean over all pixels";
  const [y, x] = cell_at(field, uv[0], uv[1]);
  const point = uv.map((value) => value.toFixed(2)).join(", ");
  return `cell y ${y}, x ${x} of ${field.height}×${field.width} · (${point})`;
}

/** How the map on screen is spread: remembered until it changes, since a hover moves the point and not the map. */
const SAID = new WeakMap<object, { version: number; text: string }>();

function concentrated(frame: Frame, at: At, { values }: Shown): string {
  const known = SAID.get(values);
  if (known?.version === values.version) return known.text;
  const map = values.map as Float32Array;
  const top = peak(map, values.width);
  const { chips } = frame.scope.facts_of(at);
  const word = chips.find((chip) => chip.columns.join() === frame.columns.join());
  const of = at.kind === "self" ? "the mass" : `the mass of ‘${word?.text ?? "the words"}’`;
  const share = (100 * half_mass(map).share).toFixed(0);
  const text = top
    ? `50 % of ${of} in ${share} % of the pixels · entropy ${entropy_bits(map).toFixed(1)} bits · ` +
      `peak ${probability(top.value)} at y ${top.y}, x ${top.x}`
    : "";
  SAID.set(values, { version: values.version, text });
  return text;
}
