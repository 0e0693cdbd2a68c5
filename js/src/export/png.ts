/** Saves what is on screen as a picture: maps enlarged by whole cells, the legend sentence below, on paper. */

import { css, OTHER_RGB } from "../maps/luts.ts";
import type { View } from "../view.tsx";

const SCALE = 2;
const MARGIN = 16;
const SIZE = 480;
const PAPER = "#ffffff";
const INK = "#1c1f23";
const FONT = "system-ui, sans-serif";

interface Panel {
  layers: HTMLCanvasElement[];
  opacity: number[];
  label: string;
}

export async function save_png(view: View): Promise<void> {
  const sheet = draw_sheet(view);
  const blob = await new Promise<Blob | null>((resolve) => sheet.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("the browser could not write a PNG");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = file_name(view);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function file_name(view: View): string {
  const { level, layer, head, step } = view.scope.at.peek();
  const parts = ["attnscope", level === "unet" ? "unet" : layer.layer];
  if (level === "head") parts.push(head === "mean" ? "mean" : `head-${head}`);
  parts.push(`step-${step}`);
  return `${parts.join("-").replace(/[^\w.-]+/g, "_")}.png`;
}

/** The heads grid at level layer, else the picture with its map. */
export function draw_sheet(view: View): HTMLCanvasElement {
  const { painter, scope } = view;
  const { width, height } = scope.manifest;
  const ratio = width / height;
  const grid = scope.at.peek().level === "layer";
  const panels = grid ? head_panels(view) : picture_panel(view);
  const columns = grid ? Math.ceil(Math.sqrt(panels.length * Math.max(1, 1 / ratio))) : 1;
  const rows = Math.ceil(panels.length / columns);
  const cell_width = grid ? Math.max(96, Math.floor(SIZE / columns)) : SIZE;
  const cell_height = Math.round(cell_width / ratio);
  const gap = grid ? 10 : 0;
  const label_height = grid ? 18 : 0;
  const inner = columns * cell_width + (columns - 1) * gap;

  const sheet = document.createElement("canvas");
  const context = sheet.getContext("2d") as CanvasRenderingContext2D;
  context.font = `11px ${FONT}`;
  const frame = painter.frame();
  const key = frame.columns.length ? [] : word_key(context, view, inner);
  const own = frame.scale === "own" && !key.length ? ", each on its own scale (here that of the mean)" : "";
  const caption = wrap(context, (grid ? `The mean and each head${own}: ` : "") + painter.legend_text, inner);
  const head = scope.manifest.prompt ?? scope.manifest.title;
  const top = MARGIN + 22;
  const bar_top = top + rows * (cell_height + label_height + gap) + 8;
  const below = bar_top + 28 + (key.at(-1)?.y ?? 0);
  sheet.width = SCALE * (inner + 2 * MARGIN);
  sheet.height = SCALE * (below + caption.length * 15 + MARGIN);
  context.scale(SCALE, SCALE);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  context.fillStyle = INK;
  context.textBaseline = "top";
  context.font = `13px ${FONT}`;
  context.fillText(shorten(context, head, inner), MARGIN, MARGIN);
  context.font = `11px ${FONT}`;
  panels.forEach((panel, i) => {
    const x = MARGIN + (i % columns) * (cell_width + gap);
    const y = top + Math.floor(i / columns) * (cell_height + label_height + gap);
    panel.layers.forEach((layer, at) => {
      context.globalAlpha = panel.opacity[at] ?? 1;
      context.drawImage(layer, x, y, cell_width, cell_height);
    });
    context.globalAlpha = 1;
    if (panel.label) context.fillText(panel.label, x, y + cell_height + 4);
  });
  const { colour_bar, ticks } = painter.parts;
  if (colour_bar && ticks?.textContent) {
    context.drawImage(colour_bar, MARGIN, bar_top, inner, 6);
    [...ticks.children].forEach((tick, i) => {
      context.textAlign = (["left", "center", "right"] as const)[i] ?? "left";
      context.fillText(tick.textContent ?? "", MARGIN + (inner * i) / 2, bar_top + 9);
    });
    context.textAlign = "left";
  }
  for (const { x, y, text, colour } of key) {
    context.fillStyle = colour;
    context.fillRect(MARGIN + x, bar_top + y, 9, 9);
    context.fillStyle = INK;
    context.fillText(text, MARGIN + x + 14, bar_top + y);
  }
  caption.forEach((line, i) => context.fillText(line, MARGIN, below + 15 * i));
  return sheet;
}

/** Which colour is which word, in as many rows as that takes. */
function word_key(context: CanvasRenderingContext2D, { scope }: View, width: number) {
  const coloured = scope.facts.value.contenders.filter((chip) => scope.colour_of(chip));
  const words = coloured.map((chip) => [chip.text, css(scope.colour_of(chip) ?? OTHER_RGB)] as const);
  if (coloured.length < scope.facts.value.contenders.length) words.push(["other", css(OTHER_RGB)]);
  let x = 0;
  let y = 0;
  return words.map(([word, colour]) => {
    const text = shorten(context, word, width - 14);
    const needed = context.measureText(text).width + 28;
    if (x && x + needed - 14 > width) [x, y] = [0, y + 15];
    x += needed;
    return { x: x - needed, y, text, colour };
  });
}

function head_panels(view: View): Panel[] {
  return [...view.painter.tiles.values()].map((tile) => ({
    layers: [tile.map.canvas],
    opacity: [1],
    label: tile.name,
  }));
}

function picture_panel(view: View): Panel[] {
  const [pane] = view.painter.panes;
  if (!pane) throw new Error("there is no picture on screen to save");
  const opacity = Number(pane.map.canvas.style.opacity || 1);
  return [{ layers: [pane.base, pane.map.canvas], opacity: [1, opacity], label: "" }];
}

function wrap(context: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (line && context.measureText(longer).width > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line ? [...lines, line] : lines;
}

function shorten(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 0 && context.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}
