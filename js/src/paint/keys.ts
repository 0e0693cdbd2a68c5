/** Self-attention: the pixels that the query looks at most, as a list. */

import { figure } from "../maps/numbers.ts";
import type { Frame } from "./frame.ts";
import type { Painter, Shown } from "./painter.ts";
import { write } from "./targets.ts";

export const TOP_KEYS = 8;

export function paint_keys(painter: Painter, _: Frame, { field, values, at, query, shares }: Shown): void {
  const { keys } = painter.parts;
  if (!keys) return;
  const map = at.kind === "self" ? values.map : undefined;
  const best = map && field ? largest(map, TOP_KEYS) : [];
  const most = map ? (map[best[0] ?? 0] as number) : 0;
  [...keys.children].forEach((item, i) => {
    const row = item as HTMLElement;
    const cell = best[i];
    row.style.visibility = cell === undefined ? "hidden" : "visible";
    if (cell === undefined || !map || !field) return;
    const [y, x] = [Math.floor(cell / field.width), cell % field.width];
    row.dataset.uv = `${(x + 0.5) / field.width},${(y + 0.5) / field.height}`;
    const value = map[cell] as number;
    write(row.querySelector<HTMLElement>(".as-word"), `y ${y}, x ${x}`);
    write(row.querySelector<HTMLElement>(".as-value"), shares ? `${value.toFixed(2)}×` : figure(value));
    const fill = row.querySelector<HTMLElement>(".as-fill");
    if (fill) fill.style.transform = `scaleX(${most > 0 ? value / most : 0})`;
  });
  keys.dataset.of = query ? query.direction : "received";
}

/** Places of the largest values, the largest first; what is no number has no place. */
export function largest(map: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let i = 0; i < map.length; i++) {
    const value = map[i] as number;
    if (Number.isNaN(value)) continue;
    if (best.length === count && value <= (map[best[count - 1] as number] as number)) continue;
    let at = best.length;
    while (at > 0 && value > (map[best[at - 1] as number] as number)) at -= 1;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}
