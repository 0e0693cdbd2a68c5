/** A pinned view in small. */

import type { Scope } from "../scope/scope.ts";
import type { Traits } from "../scope/state.ts";
import { panel_marks } from "./compose.ts";
import { draw } from "./png.ts";
import { first_panel } from "./sheet.ts";

const WIDTH = 224;

/** Draws it, as far as it is here; returns its title. */
export function thumbnail(scope: Scope, traits: Partial<Traits>, canvas: HTMLCanvasElement): string {
  const panel = first_panel(scope, traits);
  const { width, height } = scope.manifest;
  canvas.width = WIDTH;
  canvas.height = Math.round((WIDTH * height) / width);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  draw(context, panel_marks(panel, { x: 0, y: 0, width: canvas.width, height: canvas.height }));
  return panel.title;
}
