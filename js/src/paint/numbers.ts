/** Token bars and the read-out: the numbers at the pointer, the pin, in a box, or over the whole map. */

import { cell_at, distribution, type Field } from "../maps/fields.ts";
import { entropy_bits, half_mass, peak } from "../maps/measures.ts";
import { probability } from "../maps/numbers.ts";
import { cells_in, MOST_QUERIES, region_distribution } from "../maps/region.ts";
import { word_names } from "../scope/facts.ts";
import type { At } from "../scope/selection.ts";
import { box_of, find } from "./finding.ts";
import { counting, type Frame, words_at } from "./frame.ts";
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
  if (!field || at.kind !== "cross") {
    for (const { fill } of field ? painter.chip_bars.values() : []) fill.style.transform = "scaleX(0)";
    return;
  }
  const row = look(field, frame, painter.row(field.tokens));
  const other = second_row(frame);
  const bars = [...painter.bars.values()];
  const dropped = (column: number) => !counted.has(column);
  const counted = new Set(counting(frame, at));
  const sums = bars.map((bar) => sum(row, bar.columns));
  const seconds = other ? bars.map((bar) => sum(other, bar.columns)) : [];
  const most = [...sums.filter((_, i) => !bars[i]?.columns.some(dropped)), ...seconds];
  // In a block the other attention may have its list where the bars would be.
  if (!bars.length) most.push(...[...painter.chip_bars.values()].map((bar) => sum(row, bar.columns)));
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
  const { field, coarse } = find(frame, other, subject_of(frame, other));
  return field && !coarse ? look(field, frame, new Float32Array(field.tokens)) : null;
}

export function paint_readout(painter: Painter, frame: Frame, shown: Shown): void {
  const { readout_value, readout_where, concentration } = painter.parts;
  const { field, at, values } = shown;
  if (!field) {
    write(readout_value, "–");
    write(readout_where, "not here yet");
    return;
  }
  const both = frame.other && !frame.hover.tile ? both_values(frame, shown) : null;
  const one = () => (at.kind === "cross" ? cross_value(painter, frame, at, field) : self_value(frame, shown));
  write(readout_value, both ?? one());
  if (readout_value) flag(readout_value, "as-both", both !== null);
  write(readout_where, where(frame, shown, field));
  if (concentration) write(concentration, values.maps.length === 1 ? concentrated(frame, at, shown) : "");
}

function cross_value(painter: Painter, frame: Frame, at: At, field: Field): string {
  const facts = frame.scope.facts_of(at);
  const row = look(field, frame, painter.row(field.tokens));
  let words = words_at(frame, at);
  if (words.length === 0) {
    // The strongest word, as the map and the bars show it.
    const sums = facts.contenders.map((chip) => sum(row, chip.columns));
    const strongest = facts.contenders[sums.indexOf(Math.max(...sums))];
    if (strongest) words = [strongest.columns];
  }
  return words.length ? `${probability(sum(row, words.flat()))} ${word_names(facts, words)}` : "–";
}

/** A, B and what is between them, at the pointer or on average; null where there is no number for each. */
function both_values(frame: Frame, { at, field, values }: Shown): string | null {
  const other = frame.other as At;
  const found = find(frame, other, subject_of(frame, other));
  if (!field || !values.map || !found.field || found.coarse || (at.kind === "self" && !frame.uv)) return null;
  const value = (of: Field, there: At) => {
    const columns = there.kind === "self" ? [0] : words_at(frame, there).flat();
    return sum(look(of, frame, new Float32Array(of.tokens)), columns);
  };
  const [a, b] = [value(field, at), value(found.field, other)];
  const minus = a - b < 0 ? "−" : "+";
  return `A ${probability(a)} · B ${probability(b)} · ${minus}${probability(Math.abs(a - b))}`;
}

function self_value({ uv }: Frame, { field, values, query, shares }: Shown): string {
  const map = values.map;
  if (!field || !map) return "–";
  const [y, x] = cell_at(field, ...(uv ?? ([0, 0] as const)));
  const here = map[y * field.width + x] as number;
  if (shares) return uv ? `${here.toFixed(2)}× an even share` : "received attention";
  const total = map.reduce((all, value) => all + value, 0);
  return `${query?.direction} sums to ${total.toFixed(3)}`;
}

function where(frame: Frame, { at, query, shares }: Shown, field: Field): string {
  const { uv, region, hover } = frame;
  // Of self-attention over several layers a box says nothing, nor does one that is not let go yet.
  const boxed = at.kind === "cross" ? !hover.uv : query && !shares && box_of(frame);
  if (region && boxed) {
    const { length } = cells_in(region, field.height, field.width);
    const some = at.kind === "self" && length > MOST_QUERIES ? `${MOST_QUERIES} of ` : "";
    return `mean over ${some}${length} ${length === 1 ? "cell" : "cells"} of the box`;
  }
  if (!uv) return at.kind === "self" ? "column sums; 1 is an even share" : "mean over all pixels";
  const [y, x] = cell_at(field, uv[0], uv[1]);
  const point = uv.map((value) => value.toFixed(2)).join(", ");
  return `y ${y}, x ${x} of ${field.height}×${field.width} · (${point})`;
}

/** How the map on screen is spread: remembered until it changes, since a hover moves the point and not the map. */
const SAID = new WeakMap<object, { version: number; text: string }>();

function concentrated(frame: Frame, at: At, { values }: Shown): string {
  const known = SAID.get(values);
  if (known?.version === values.version) return known.text;
  const map = values.map as Float32Array;
  const top = peak(map, values.width);
  const of =
    at.kind === "self" ? "the mass" : `the mass of ${word_names(frame.scope.facts_of(at), words_at(frame, at))}`;
  const share = (100 * half_mass(map).share).toFixed(0);
  const text = top
    ? `50 % of ${of} in ${share} % of the pixels · entropy ${entropy_bits(map).toFixed(1)} bits · ` +
      `peak ${probability(top.value)} at y ${top.y}, x ${top.x}`
    : "";
  SAID.set(values, { version: values.version, text });
  return text;
}
