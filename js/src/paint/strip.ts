/** Every word at every step, at the pinned pixel: a strip of colours behind each bar. */

import { heads_in } from "../scope/selection.ts";
import { strip_of } from "../scope/wants.ts";
import { content } from "../scope/words.ts";
import { values } from "../wire/decode.ts";
import { counting, type Frame } from "./frame.ts";
import type { Painter } from "./painter.ts";
import { flag } from "./targets.ts";

export function paint_strip(painter: Painter, frame: Frame): void {
  const strips = [...painter.bars.values()].filter(({ strip }) => strip);
  if (!strips.length) return;
  const item = frame.at.level === "head" && frame.at.kind === "cross" ? strip_of(frame.scope, frame.at) : null;
  const section = item && frame.scope.transport.get(item.id)?.get("values");
  flag(painter.root, "as-stripped", Boolean(section));
  if (!section) return;
  const [steps, heads, tokens] = section.shape as [number, number, number];
  const all = values(section);
  const { at } = frame;
  const some = at.layer.single_heads ? heads_in(at.head, at.layer) : [heads - 1];
  const counted = frame.renormalise ? counting(frame, at) : null;
  /** Heads first, then the pieces of a word: as the maps are made. */
  const total = (step: number, columns: readonly number[]): number =>
    columns.reduce((sum, column) => {
      const each = some.map((head) => all[(step * heads + head) * tokens + column] as number);
      return sum + (at.head === "max" ? Math.max(...each) : each.reduce((a, b) => a + b, 0) / each.length);
    }, 0);
  const share = (step: number, columns: readonly number[]): number =>
    total(step, columns) / (counted ? total(step, counted) : 1);
  // One scale for all words of the prompt: bos would leave them dark.
  const words = content(frame.scope.facts.peek().chips).map((chip) => chip.first);
  const rows = strips.map((bar) => Float32Array.from({ length: steps }, (_, step) => share(step, bar.columns)));
  const most = Math.max(1e-9, ...rows.flatMap((row, i) => (words.includes(strips[i]?.first ?? -1) ? [...row] : [])));
  strips.forEach(({ strip }, i) => {
    const canvas = strip as HTMLCanvasElement;
    const row = rows[i] as Float32Array;
    const drawn = `${item?.id} ${at.head} ${frame.cmap} ${counted?.join()} ${steps}`;
    if (canvas.dataset.drawn === drawn) return;
    canvas.dataset.drawn = drawn;
    canvas.width = steps;
    canvas.height = 1;
    const context = canvas.getContext("2d");
    const image = context?.createImageData(steps, 1);
    if (!context || !image) return;
    const pixels = new Uint32Array(image.data.buffer);
    row.forEach((value, step) => {
      pixels[step] = Number.isNaN(value) ? 0 : (frame.table[Math.round(255 * Math.min(1, value / most))] as number);
    });
    context.putImageData(image, 0, 0);
  });
}
