/** Where everything on a sheet lies: images, lines and text at places, on white paper. */

import type { Guide, Panel, Sheet } from "./sheet.ts";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export type Mark =
  | { image: HTMLCanvasElement; box: Box; clip: Box | null; opacity: number; smooth: boolean }
  | { text: string; x: number; y: number; size: number; anchor: "start" | "middle" | "end" }
  | Line;

export interface Line {
  path: string;
  fill: string;
  stroke: string;
  width: number;
  opacity: number;
  dashes?: true;
}

export interface Composition {
  width: number;
  height: number;
  title: string;
  marks: Mark[];
}

export const FONT = "Helvetica, Arial, sans-serif";
export const INK = "#1c1f23";
const LINE = "#b9bec5";
const MARGIN = 16;
const GAP = 12;
const INNER = 640;
const LEAST = 320;

export function compose(sheet: Sheet): Composition {
  const { panels, ratio, small } = sheet;
  const count = panels.length;
  const columns = small
    ? Math.min(8, Math.ceil(Math.sqrt(count * Math.max(1, 1.2 / ratio))))
    : Math.max(1, Math.min(3, count));
  const most = (INNER - (columns - 1) * GAP) / columns;
  // Alone it may be large, but never taller than broad paper has room for.
  const cell = Math.floor(Math.min(columns === 1 ? 480 : most, 480 * ratio));
  const inner = Math.max(LEAST, columns * cell + (columns - 1) * GAP);
  const tall = Math.round(cell / ratio);
  const marks: Mark[] = [];
  let y = MARGIN;
  const text = (at: number, top: number, lines: readonly string[], size = 11): number => {
    lines.forEach((line, i) => {
      marks.push({ text: line, x: at, y: top + size + i * (size + 4), size, anchor: "start" });
    });
    return lines.length * (size + 4);
  };
  y += text(MARGIN, y, wrap(sheet.title, inner, 13, 3), 13) + 6;
  for (let start = 0; start < count; start += columns) {
    const row = panels.slice(start, start + columns);
    const titles = row.map((panel) => wrap(panel.title, cell, 11, small ? 1 : 2));
    const head = 15 * Math.max(...titles.map((lines) => lines.length));
    let below = 0;
    row.forEach((panel, i) => {
      const x = MARGIN + i * (cell + GAP);
      const lines = titles[i] as string[];
      text(x, y + head - 15 * lines.length, lines);
      const box = { x, y: y + head + 2, width: cell, height: tall };
      marks.push(...panel_marks(panel, box));
      const span = Math.min(panel.span, row.length - i);
      if (panel.guide)
        below = Math.max(below, place_guide(panel.guide, x, box.y + tall + 8, span * cell + (span - 1) * GAP, marks));
    });
    y += head + 2 + tall + (below ? below + 8 : 0) + GAP;
  }
  if (sheet.guide) y += place_guide(sheet.guide, MARGIN, y, inner, marks) + 8;
  for (const caption of sheet.captions) y += text(MARGIN, y, wrap(caption, inner, 11)) + 4;
  return { width: inner + 2 * MARGIN, height: Math.ceil(y + MARGIN - 4), title: sheet.title, marks };
}

const rectangle = ({ x, y, width, height }: Box): string => `M${x} ${y}h${width}v${height}h${-width}z`;

/** White on black: seen on any picture. */
const outlined = (path: string, width: number): [Line, Line] => [
  { path, fill: "none", stroke: "#000000", width: width + 1.5, opacity: 0.6 },
  { path, fill: "none", stroke: "#ffffff", width, opacity: 1 },
];

export function panel_marks({ base, maps, opacity, smooth, contour, cross, region }: Panel, box: Box): Mark[] {
  const { x, y, width, height } = box;
  const marks: Mark[] = [];
  if (base) marks.push({ image: base, box, clip: null, opacity: 1, smooth: true });
  for (const { canvas, from, to } of opacity ? maps : []) {
    const clip = from > 0 || to < 1 ? { ...box, x: x + from * width, width: (to - from) * width } : null;
    marks.push({ image: canvas, box, clip, opacity, smooth });
    if (from > 0) marks.push(...outlined(`M${x + from * width} ${y}v${height}`, 1.5));
  }
  const place = (u: number, v: number) => `${round(x + u * width)} ${round(y + v * height)}`;
  if (contour)
    marks.push(
      ...outlined(
        contour.replace(/([\d.]+) ([\d.]+)/g, (_, u, v) => place(+u, +v)),
        1.5,
      ),
    );
  if (region) {
    const [u0, v0, u1, v1] = region;
    const [dark, light] = outlined(`M${place(u0, v0)}L${place(u1, v0)}L${place(u1, v1)}L${place(u0, v1)}Z`, 1.2);
    marks.push(dark, { ...light, dashes: true });
  }
  if (cross) {
    const arm = Math.min(7, width / 12);
    marks.push(...outlined(`M${place(...cross)}m${-arm} 0h${2 * arm}m${-arm} ${-arm}v${2 * arm}`, 1.5));
  }
  marks.push({ path: rectangle(box), fill: "none", stroke: LINE, width: 0.75, opacity: 1 });
  return marks;
}

const round = (value: number): number => Math.round(100 * value) / 100;

/** Returns its height. */
function place_guide({ table, ticks, swatches }: Guide, x: number, y: number, width: number, marks: Mark[]): number {
  if (table) {
    const box = { x, y, width, height: 8 };
    marks.push({ image: strip(table), box, clip: null, opacity: 1, smooth: true });
    marks.push({ path: rectangle(box), fill: "none", stroke: LINE, width: 0.75, opacity: 1 });
    ticks.forEach((text, i) => {
      const at = x + (width * i) / (ticks.length - 1);
      const anchor = i === 0 ? "start" : i === ticks.length - 1 ? "end" : "middle";
      if (text) marks.push({ path: `M${at} ${y + 8}v3`, fill: "none", stroke: INK, width: 0.75, opacity: 1 });
      if (text) marks.push({ text, x: at, y: y + 21, size: 10, anchor });
    });
    return 24;
  }
  let [right, below] = [0, 0];
  for (const { text: word, colour } of swatches) {
    const [text = ""] = wrap(word, width - 14, 11, 1);
    const needed = measure(text, 11) + 14;
    if (right && right + needed > width) [right, below] = [0, below + 16];
    const box = { x: x + right, y: y + below + 1, width: 9, height: 9 };
    marks.push({ path: rectangle(box), fill: colour, stroke: "none", width: 0, opacity: 1 });
    marks.push({ text, x: x + right + 14, y: y + below + 10, size: 11, anchor: "start" });
    right += needed + 14;
  }
  return swatches.length ? below + 16 : 0;
}

function strip(table: Uint32Array): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = table.length;
  canvas.height = 1;
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const image = context.createImageData(table.length, 1);
  new Uint32Array(image.data.buffer).set(table);
  context.putImageData(image, 0, 0);
  return canvas;
}

let ruler: CanvasRenderingContext2D | null = null;

function measure(text: string, size: number): number {
  ruler ??= document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
  ruler.font = `${size}px ${FONT}`;
  return ruler.measureText(text).width;
}

/** Lines of at most this width; a word that is broader is broken, and what exceeds the last line ends in an ellipsis. */
export function wrap(text: string, width: number, size: number, most = Number.POSITIVE_INFINITY): string[] {
  const lines: string[] = [];
  let line = "";
  const fits = (candidate: string) => measure(candidate, size) <= width;
  for (const word of text.split(" ")) {
    let rest = line ? `${line} ${word}` : word;
    if (line && !fits(rest)) {
      lines.push(line);
      rest = word;
    }
    while (!fits(rest) && rest.length > 1) {
      const end = longest(rest, fits);
      lines.push(rest.slice(0, end));
      rest = rest.slice(end);
    }
    line = rest;
    if (lines.length > most) break;
  }
  if (line) lines.push(line);
  if (lines.length <= most) return lines;
  const kept = lines.slice(0, most);
  const last = kept[most - 1] as string;
  kept[most - 1] = `${last.slice(
    0,
    longest(last, (part) => fits(`${part}…`)),
  )}…`;
  return kept;
}

/** How many characters from the start fit: at least one, and never half of a pair. */
function longest(text: string, fits: (part: string) => boolean): number {
  let [low, high] = [1, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(text.slice(0, middle))) low = middle;
    else high = middle - 1;
  }
  const code = text.charCodeAt(low - 1);
  return code >= 0xd800 && code < 0xdc00 ? (low > 1 ? low - 1 : 2) : low;
}
