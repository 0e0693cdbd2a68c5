/** How it leaves: as a file with an honest name, or by the clipboard. */

import { subject_of } from "../paint/panes.ts";
import { head_name } from "../scope/selection.ts";
import { is_chosen } from "../scope/words.ts";
import type { View } from "../view.tsx";
import type { Request } from "../wire/protocol.ts";
import { compose } from "./compose.ts";
import { map_csv, words_csv } from "./csv.ts";
import { png } from "./png.ts";
import { drawn_apart, sheet_of, type What } from "./sheet.ts";
import { svg } from "./svg.ts";

export type Table = "words" | "map";

export interface Choice {
  what: What | Table;
  format: "png" | "svg";
  scale: number;
}

const PATIENCE_MS = 5000;

export const is_table = (what: What | Table): what is Table => what === "words" || what === "map";

export function table(view: View, what: Table): string {
  const comparing = view.scope.other_at.peek() !== null;
  return (what === "map" ? map_csv : words_csv)(drawn_apart(view, comparing ? "comparison" : "picture"));
}

export async function file(view: View, { what, format, scale }: Choice): Promise<Blob> {
  if (is_table(what)) return new Blob([table(view, what)], { type: "text/csv;charset=utf-8" });
  const sheet = compose(sheet_of(view, what));
  return format === "png" ? png(sheet, scale) : new Blob([svg(sheet)], { type: "image/svg+xml" });
}

/** What is on it: where it is from, which step, which word. */
export function file_name(view: View, { what, format }: Choice): string {
  const { at, state, facts, other_at } = view.scope;
  const { level, kind, layer, step } = at.peek();
  const token = state.is.token.peek();
  const words = facts.peek().chips.filter((chip) => is_chosen(token, chip));
  const parts = ["attnscope"];
  if (what === "pins") parts.push(`${state.is.pins.peek().length}-pins`);
  else {
    parts.push(level === "unet" ? "unet" : layer.layer);
    if (kind === "self") parts.push("self");
    const frame = view.painter.frame();
    const shown = head_name(subject_of(frame, frame.at).head ?? "mean")
      .replace(/ of heads$/, "")
      .replaceAll(/,? /g, "-");
    const tiles = level === "unet" ? "layers" : level === "block" ? "blocks" : "heads";
    parts.push(what === "tiles" ? tiles : shown, `step-${step}`);
    if (kind === "cross" && words.length) parts.push(words.map(({ text }) => text).join("+"));
    if (other_at.peek() && what !== "tiles") parts.push("compared");
    if (is_table(what)) parts.push(what);
  }
  const plain = parts.map((part) => part.replace(/[^\p{L}\p{N}+.-]+/gu, "_").slice(0, 60)).join("-");
  return `${plain.slice(0, 150)}.${is_table(what) ? "csv" : format}`;
}

export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Some browsers refuse pictures, and all do on pages that are not secure. */
export async function copy_image(view: View, choice: Choice): Promise<void> {
  try {
    // The promise goes in as it is: waiting for it first would use up the click that permits this.
    await navigator.clipboard.write([new ClipboardItem({ "image/png": file(view, { ...choice, format: "png" }) })]);
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`the browser did not take the picture (${why}): save it as PNG and insert the file`);
  }
}

/** Waits for packets that are not on screen, but not for ever: what lacks then says so on the sheet. */
export function arrived(view: View, wanted: readonly Request[]): Promise<void> {
  const { transport } = view.scope;
  const there = () => wanted.every(({ id }) => transport.has(id) || transport.failures.has(id));
  if (there()) return Promise.resolve();
  const asking = {};
  return new Promise((resolve) => {
    const done = () => {
      stop();
      clearTimeout(timer);
      transport.forget(asking);
      resolve();
    };
    const stop = transport.listen(() => there() && done());
    const timer = setTimeout(done, PATIENCE_MS);
    transport.want(asking, [...wanted], []);
  });
}
