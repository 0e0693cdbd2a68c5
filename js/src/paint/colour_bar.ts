/** The colour bar with its numbers, over the same values as the histogram above it. */

import { diverging } from "../maps/diverging.ts";
import { figure } from "../maps/numbers.ts";
import { position, value_at } from "../maps/scaling.ts";
import type { Frame } from "./frame.ts";
import { has_ends, only_difference, said } from "./histogram.ts";
import type { Painter, Shown } from "./painter.ts";
import { flag, write } from "./targets.ts";

const WIDTH = 256;
/** Numbers nearer than this to each other, as a share of the bar, would be written over one another. */
const APART = 0.28;

export function paint_colour_bar(painter: Painter, frame: Frame, shown: Shown): void {
  const { colour_bar, ticks } = painter.parts;
  if (!colour_bar || !ticks) return;
  const difference = only_difference(painter);
  const root = colour_bar.parentElement as HTMLElement;
  // Words in colours of their own, and the strongest word, have no bar: their chips are the key.
  flag(root, "as-off", shown.values.maps.length !== 1 && !difference);
  flag(root, "as-endless", !has_ends(painter, frame, shown));
  const movable = has_ends(painter, frame, shown);
  const { limits } = shown;
  const { transform } = frame;
  const axis = movable ? painter.axis : limits;
  const key = difference ? frame.diverging : JSON.stringify([frame.cmap, axis, limits, transform]);
  if (colour_bar.dataset.key !== key) {
    colour_bar.dataset.key = key;
    draw(colour_bar, (at) =>
      difference
        ? (diverging(frame.diverging)[at] as number)
        : (frame.table[
            Math.round(255 * position(value_at(at / (WIDTH - 1), axis, transform), limits, transform))
          ] as number),
    );
  }
  const about = limits.approximate ? "≈ " : "";
  const { comparison } = painter;
  const labels = [0, 0.5, 1].map((at) => {
    if (difference) return comparison ? figure((2 * at - 1) * comparison.limit) : "";
    return shown.field ? about + said(frame, shown, value_at(at, limits, transform)) : "";
  });
  const [low, high] = movable ? [limits.lo, limits.hi].map((value) => position(value, axis, transform)) : [0, 1];
  const places = [low as number, ((low as number) + (high as number)) / 2, high as number];
  const room = (high as number) - (low as number);
  labels.forEach((label, i) => {
    const tick = ticks.children[i] as HTMLElement | undefined;
    write(tick?.firstElementChild as HTMLElement | undefined, i === 1 && room < 2 * APART ? "" : label);
    set_tick(tick, places[i] as number, room < APART ? (i === 0 ? 1 : 0) : (places[i] as number));
  });
}

/** Moves a number to its place, by transforms, which cost no layout; `anchor` is where in the number that is. */
function set_tick(tick: HTMLElement | undefined, place: number, anchor: number): void {
  const text = tick?.firstElementChild as HTMLElement | null | undefined;
  const key = `${place.toFixed(3)} ${anchor.toFixed(3)}`;
  if (!tick || !text || tick.dataset.key === key) return;
  tick.dataset.key = key;
  tick.style.transform = `translateX(${100 * place}%)`;
  // A number at the edge stays inside, whatever is beside it.
  text.style.transform = `translateX(${-100 * (place < 0.1 ? 0 : place > 0.9 ? 1 : anchor)}%)`;
}

function draw(canvas: HTMLCanvasElement, colour: (at: number) => number): void {
  canvas.width = WIDTH;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  const image = context?.createImageData(WIDTH, 1);
  if (!context || !image) return;
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < WIDTH; at++) pixels[at] = colour(at);
  context.putImageData(image, 0, 0);
}
