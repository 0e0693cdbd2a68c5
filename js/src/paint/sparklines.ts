/** One line per tile: the mean attention on the shown tokens, step by step, on one scale for all tiles. */

import { along } from "../scope/axis.ts";
import type { Scope } from "../scope/scope.ts";
import type { Frame } from "./frame.ts";
import type { Painter } from "./painter.ts";

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

const spark_x = (i: number, steps: number): string => (steps > 1 ? (100 * i) / (steps - 1) : 50).toFixed(1);
const spark_y = (value: number, top: number): string => (14 - 12 * (top > 0 ? Math.min(1, value / top) : 0)).toFixed(1);

/** A polyline over 100 x 16 units, as far as the steps go; one step of one is a flat line. */
function spark_path(series: readonly number[], top: number, places = series.length): string {
  if (places === 1) return `M0 ${spark_y(series[0] ?? 0, top)}H100`;
  return `M${series.map((value, i) => `${spark_x(i, places)} ${spark_y(value, top)}`).join("L")}`;
}

/** Filled down to the ground, over the steps of the run: where steps were not captured the line goes on. */
function area_path(scope: Scope, series: readonly number[]): string {
  const top = Math.max(...series);
  const x = scope.manifest.steps.map(({ step }) => (100 * along(scope, step)).toFixed(1));
  const line = series.map((value, i) => `${x[i]} ${spark_y(value, top)}`).join("L");
  return `M${line}V16H${x[0]}Z`;
}

const drawn = new WeakMap<SVGPathElement, string>();

export function paint_sparklines(painter: Painter, frame: Frame): void {
  const { scope } = painter;
  const columns = frame.columns.length ? frame.columns : scope.facts.value.contenders.flatMap((chip) => chip.columns);
  const tiles = [...painter.tiles.values()].filter((tile) => tile.spark);
  const { places } = scope;
  const key = `${columns}|${scope.manifest.steps.length}|${places}`;
  const { scrub_spark } = painter.parts;
  const at =
    frame.at.level === "unet" ? scope.facts.peek().layers.cross.map((info) => info.layer) : [frame.at.layer.layer];
  if (scrub_spark) {
    const scrub_key = `${key}|${at.length}|${at[0]}`;
    if (drawn.get(scrub_spark) !== scrub_key) {
      drawn.set(scrub_spark, scrub_key);
      scrub_spark.setAttribute("d", area_path(scope, mass_series(scope, at, columns)));
    }
  }
  const dots = `${key}|${frame.at.index}`;
  if (tiles.every(({ now }) => now && drawn.get(now) === dots)) return;
  const series = tiles.map((tile) => mass_series(scope, tile.layers, columns));
  const top = Math.max(...series.flat(), 0);
  tiles.forEach(({ spark, now }, i) => {
    const line = series[i] as number[];
    if (spark && drawn.get(spark) !== key) {
      spark.setAttribute("d", spark_path(line, top, places));
      drawn.set(spark, key);
    }
    if (now) {
      // A line of no length with round ends: a dot that the stretched drawing does not distort.
      now.setAttribute("d", `M${spark_x(frame.at.index, places)} ${spark_y(line[frame.at.index] ?? 0, top)}h0`);
      drawn.set(now, dots);
    }
  });
}
