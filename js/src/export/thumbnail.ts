/** A pinned view in small. */

import type { Scope } from "../scope/scope.ts";
import type { Traits } from "../scope/state.ts";
import { first_panel } from "./sheet.ts";

const WIDTH = 224;

/** Draws it, as far as it is here; returns its title. */
export function thumbnail(scope: Scope, traits: Partial<Traits>, canvas: HTMLCanvasElement): string {
  const { title, base, maps, opacity, smooth, contour } = first_panel(scope, traits);
  const { width, height } = scope.manifest;
  canvas.width = WIDTH;
  canvas.height = Math.round((WIDTH * height) / width);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  if (base) context.drawImage(base, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = smooth;
  for (const map of maps) context.drawImage(map.canvas, 0, 0, canvas.width, canvas.height);
  if (contour) {
    context.globalAlpha = 1;
    context.scale(canvas.width, canvas.height);
    context.strokeStyle = "#ffffff";
    context.lineWidth = 3 / WIDTH;
    context.stroke(new Path2D(contour));
  }
  return title;
}
