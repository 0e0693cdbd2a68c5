/** The colour bar with its numbers. */

import { diverging } from "../maps/diverging.ts";
import { figure } from "../maps/numbers.ts";
import { value_at } from "../maps/scaling.ts";
import type { Frame } from "./frame.ts";
import { positions } from "./legend.ts";
import type { Painter, Shown } from "./painter.ts";
import { flag, write } from "./targets.ts";

export function paint_colour_bar(painter: Painter, frame: Frame, shown: Shown): void {
  const { colour_bar, ticks } = painter.parts;
  if (!colour_bar || !ticks) return;
  const difference = [...painter.panes].some(({ role }) => role === "difference") && painter.panes.size === 1;
  const { comparison } = painter;
  // Words in colours of their own, and the strongest word, have no bar: their chips are the key.
  flag(colour_bar.parentElement as HTMLElement, "as-off", shown.values.maps.length !== 1);
  const name = difference ? frame.diverging : frame.cmap;
  if (colour_bar.dataset.cmap !== name) {
    colour_bar.dataset.cmap = name;
    colour_bar.width = 256;
    colour_bar.height = 1;
    const context = colour_bar.getContext("2d");
    const image = context?.createImageData(256, 1);
    if (context && image) {
      new Uint32Array(image.data.buffer).set(difference ? diverging(frame.diverging) : frame.table);
      context.putImageData(image, 0, 0);
    }
  }
  const labels = difference
    ? [-1, 0, 1].map((at) => (comparison ? figure(at * comparison.limit) : ""))
    : [0, 0.5, 1].map((at) => (shown.field ? tick(frame, shown, at) : ""));
  labels.forEach((label, i) => write(ticks.children[i] as HTMLElement | undefined, label));
}

export function tick(frame: Frame, shown: Shown, place: number): string {
  const value = value_at(place, shown.limits, frame.transform);
  return frame.transform === "uniform" ? `${figure(value * positions(frame, shown))}×` : figure(value);
}
