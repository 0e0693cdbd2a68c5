/** The picture under a map, and the marks over it. */

import { cell_at, type Field } from "../maps/fields.ts";
import type { Scope } from "../scope/scope.ts";
import type { At } from "../scope/selection.ts";
import { ask } from "../scope/wants.ts";
import type { Packet } from "../wire/transport.ts";
import { blend_of } from "./drawing.ts";
import type { Frame } from "./frame.ts";
import type { Painter } from "./painter.ts";
import { flag, type PaneTarget, place } from "./targets.ts";

const drawn = new WeakMap<HTMLCanvasElement, object>();

export function paint_picture(painter: Painter, pane: PaneTarget, frame: Frame, at: At, field: Field | null): void {
  const { scope } = painter;
  const { base, map, second, root } = pane;
  const { show_preview } = scope.state.is;
  const { preview: captured } = scope.facts_of(at).manifest;
  const preview = show_preview.peek() && captured ? scope.packet("preview", at) : undefined;
  // While a preview is under way the one before it stays.
  const failed = scope.transport.failures.has(ask(scope, "preview", at).id);
  const waits = show_preview.peek() && captured !== null && !preview && !failed;
  if (preview) draw_preview(base, preview);
  else if (!waits) draw_final(scope, base, at);
  const bare = !drawn.has(base);
  flag(root, "as-bare", bare);
  const opacity = blend_of(frame, at, map.values) === "contour" ? 0 : frame.overlay;
  map.canvas.style.opacity = second.canvas.style.opacity = String(bare ? 1 : opacity);
  mark_cell(pane, frame, field);
  place(pane.pin, frame.hover.uv ? frame.pinned : null);
}

function draw_preview(base: HTMLCanvasElement, preview: Packet): void {
  const section = preview.get("rgb");
  if (!section || drawn.get(base) === section) return;
  const [height, width] = section.shape as [number, number];
  base.width = width;
  base.height = height;
  const context = base.getContext("2d");
  const image = context?.createImageData(width, height);
  if (!context || !image) return;
  for (let i = 0, from = 0, to = 0; i < width * height; i++, from += 3, to += 4) {
    image.data[to] = section.bytes[from] as number;
    image.data[to + 1] = section.bytes[from + 1] as number;
    image.data[to + 2] = section.bytes[from + 2] as number;
    image.data[to + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  drawn.set(base, section);
}

function draw_final(scope: Scope, base: HTMLCanvasElement, at: At): void {
  const bitmap = scope.facts_of(at).bitmaps[at.image];
  if (!bitmap) {
    if (drawn.delete(base)) base.getContext("2d")?.clearRect(0, 0, base.width, base.height);
    return;
  }
  if (drawn.get(base) === bitmap) return;
  base.width = bitmap.width;
  base.height = bitmap.height;
  base.getContext("2d")?.drawImage(bitmap, 0, 0);
  drawn.set(base, bitmap);
}

/** Outlines the cell under the pointer in the grid that is on screen, and the box that was dragged. */
export function mark_cell(
  { cell, region }: PaneTarget,
  frame: Frame,
  field: Pick<Field, "height" | "width"> | null,
): void {
  const { uv } = frame;
  cell.style.visibility = uv && field ? "visible" : "hidden";
  region.style.visibility = frame.region ? "visible" : "hidden";
  if (frame.region) {
    const [u0, v0, u1, v1] = frame.region;
    const percent = (value: number) => `${100 * value}%`;
    Object.assign(region.style, {
      left: percent(u0),
      top: percent(v0),
      width: percent(u1 - u0),
      height: percent(v1 - v0),
    });
  }
  if (!uv || !field) return;
  const [y, x] = cell_at(field, uv[0], uv[1]);
  const size = `${field.height}×${field.width}`;
  if (cell.dataset.grid !== size) {
    cell.dataset.grid = size;
    cell.style.width = `${100 / field.width}%`;
    cell.style.height = `${100 / field.height}%`;
  }
  cell.style.transform = `translate(${100 * x}%,${100 * y}%)`;
}
