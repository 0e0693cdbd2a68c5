/** One line per tile: the mean attention on the shown tokens, step by step, on one scale for all tiles. */

import type { Frame, Painter } from "./painter.ts";
import type { Scope } from "./scope.ts";

/** Mass of some columns at every step, mean over some layers. */
export function mass_series(scope: Scope, layers: readonly string[], columns: readonly number[]): number[] {
  const { mass, steps } = scope.manifest;
  return steps.map((_, step) => {
    let total = 0;
    let count = 0;
    for (const layer of layers) {
      const row = mass[layer]?.[step];
      if (!row) continue;
      count += 1;
      for (const column of columns) total += row[column] ?? 0;
    }
    return count ? total / count : 0;
  });
}

/** A polyline over 100 x 16 units; one step is a flat line. */
export function spark_path(series: readonly number[], top: number): string {
  const x = (i: number) => (series.length > 1 ? (100 * i) / (series.length - 1) : 50);
  const y = (value: number) => 15 - 14 * (top > 0 ? Math.min(1, value / top) : 0);
  const points = series.map((value, i) => `${x(i).toFixed(1)} ${y(value).toFixed(1)}`);
  return points.length === 1 ? `M0 ${y(series[0] ?? 0)}H100` : `M${points.join("L")}`;
}

const drawn = new WeakMap<SVGPathElement, string>();

export function paint_sparklines(painter: Painter, frame: Frame): void {
  const { scope } = painter;
  const columns = frame.columns.length ? frame.columns : scope.contenders;
  const tiles = [...painter.tiles.values()].filter((tile) => tile.spark);
  const key = columns.join();
  const { scrub_spark } = painter.parts;
  const at = frame.at.level === "unet" ? scope.manifest.layers.map((info) => info.layer) : [frame.at.layer.layer];
  if (scrub_spark) {
    const scrub_key = `${key}|${at.length}|${at[0]}`;
    if (drawn.get(scrub_spark) !== scrub_key) {
      drawn.set(scrub_spark, scrub_key);
      const series = mass_series(scope, at, columns);
      scrub_spark.setAttribute("d", spark_path(series, Math.max(...series)));
    }
  }
  const { length } = scope.manifest.steps;
  const x = String(length > 1 ? (100 * frame.at.index) / (length - 1) : 50);
  for (const { now } of tiles) {
    if (now && now.getAttribute("x1") !== x) {
      now.setAttribute("x1", x);
      now.setAttribute("x2", x);
    }
  }
  if (tiles.every((tile) => tile.spark && drawn.get(tile.spark) === key)) return;
  const series = tiles.map((tile) => mass_series(scope, tile.layers, columns));
  const top = Math.max(...series.flat(), 0);
  tiles.forEach((tile, i) => {
    tile.spark?.setAttribute("d", spark_path(series[i] as number[], top));
    if (tile.spark) drawn.set(tile.spark, key);
  });
}
