/** The picture under the map, and the marks over it. */

import { cell_at, type Field } from "../maps/fields.ts";
import { how_many } from "../scope/legend.ts";
import type { Packet } from "../wire/transport.ts";
import type { Frame, Painter } from "./painter.ts";
import { type DetailTarget, flag, write } from "./targets.ts";

const drawn = new WeakMap<HTMLCanvasElement, object>();

export function paint_picture(painter: Painter, detail: DetailTarget, frame: Frame, field: Field | null): void {
  const { scope } = painter;
  const { show_preview, overlay, uv } = scope.state.is;
  const preview = show_preview.peek() && scope.manifest.preview ? scope.packet("preview", frame.at) : undefined;
  // While a preview is under way the one before it stays.
  const waits = show_preview.peek() && scope.manifest.preview !== null && !preview;
  if (preview) draw_preview(detail.base, preview);
  else if (!waits) draw_final(painter, detail.base, frame.at.image);
  const bare = !drawn.has(detail.base);
  flag(detail.root, "as-bare", bare);
  detail.map.canvas.style.opacity = String(bare ? 1 : overlay.peek());
  mark_cell(detail, frame, field);
  const pinned = uv.peek();
  detail.pin.style.visibility = pinned && frame.hover.uv ? "visible" : "hidden";
  if (pinned) detail.pin.style.transform = `translate(${100 * pinned[0]}%,${100 * pinned[1]}%)`;
  write(detail.title, title(painter, frame, field));
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

function draw_final(painter: Painter, base: HTMLCanvasElement, index: number): void {
  const bitmap = painter.scope.facts.value.bitmaps[index];
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

/** Outlines the cell under the pointer in the grid that is on screen. */
function mark_cell(detail: DetailTarget, { uv }: Frame, field: Field | null): void {
  const { cell } = detail;
  cell.style.visibility = uv && field ? "visible" : "hidden";
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

function title(painter: Painter, { at, columns, hover }: Frame, field: Field | null): string {
  const { scope } = painter;
  const { layers } = scope.manifest;
  const heads = (head: number | "mean") => (head === "mean" ? "mean of heads" : `head ${head}`);
  const where = hover.tile
    ? hover.tile.name
    : at.level === "unet" && layers.length > 1
      ? `mean of ${how_many(field?.layers ?? layers.length, layers.length)} layers`
      : `${at.layer.layer}, ${heads(at.level === "head" ? at.head : "mean")}`;
  if (columns.length === 0) return `${where} · strongest word per pixel`;
  const names = scope.facts.value.chips.filter((chip) => chip.columns.some((column) => columns.includes(column)));
  return `${where} · ${names.map((chip) => `‘${chip.text}’`).join(" + ")}`;
}
