/** Token bars and the read-out: the numbers at the pointer, the pin, or over the whole map. */

import { cell_at, distribution } from "../maps/fields.ts";
import { probability } from "../maps/numbers.ts";
import type { Frame, Painter, Shown } from "./painter.ts";
import { flag, write } from "./targets.ts";

const sum = (row: Float32Array, columns: readonly number[]): number =>
  columns.reduce((total, column) => total + (row[column] ?? 0), 0);

export function paint_bars(painter: Painter, frame: Frame, shown: Shown | null): void {
  if (!shown?.field) return;
  const row = painter.row(shown.field.tokens);
  distribution(shown.field, frame.uv, row);
  const sums = [...painter.bars.values()].map((bar) => sum(row, bar.columns));
  const longest = Math.max(...sums.filter((value) => !Number.isNaN(value)), 1e-9);
  [...painter.bars.values()].forEach((bar, i) => {
    const value = sums[i] as number;
    bar.fill.style.transform = `scaleX(${Number.isNaN(value) ? 0 : value / longest})`;
    write(bar.value, probability(value));
    flag(
      bar.row,
      "as-chosen",
      bar.columns.every((column) => frame.columns.includes(column)) && frame.columns.length > 0,
    );
  });
  for (const bar of painter.chip_bars.values()) {
    bar.fill.style.transform = `scaleX(${Math.min(1, sum(row, bar.columns) / longest || 0)})`;
    flag(bar.row, "as-seen", frame.hover.columns !== null && bar.columns.every((c) => frame.columns.includes(c)));
  }
  write(painter.parts.total, row.reduce((total, value) => total + value, 0).toFixed(3));
}

export function paint_readout(painter: Painter, frame: Frame, shown: Shown | null): void {
  const { readout_value, readout_where } = painter.parts;
  const field = shown?.field;
  if (!field) {
    write(readout_value, "–");
    write(readout_where, "not here yet");
    return;
  }
  const row = distribution(field, frame.uv, painter.row(field.tokens));
  let columns = frame.columns;
  if (columns.length === 0) {
    // The strongest word, as the map and the bars show it.
    const words = painter.scope.facts.value.contenders;
    const sums = words.map((chip) => sum(row, chip.columns));
    columns = words[sums.indexOf(Math.max(...sums))]?.columns ?? [];
  }
  const names = painter.scope.facts.value.chips
    .filter((chip) => chip.columns.some((column) => columns.includes(column)))
    .map((chip) => `‘${chip.text}’`);
  write(readout_value, columns.length ? `${probability(sum(row, columns))} ${names.join(" + ")}` : "–");
  if (!frame.uv) {
    write(readout_where, "mean over all pixels");
    return;
  }
  const [y, x] = cell_at(field, frame.uv[0], frame.uv[1]);
  const at = frame.uv.map((value) => value.toFixed(2)).join(", ");
  write(readout_where, `cell y ${y}, x ${x} of ${field.height}×${field.width} · (${at})`);
}
