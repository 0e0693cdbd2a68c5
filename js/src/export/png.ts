/** A sheet as a picture of points. */

import { type Composition, FONT, INK, type Mark } from "./compose.ts";

export async function png({ width, height, marks }: Composition, scale: number): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(scale * width);
  canvas.height = Math.round(scale * height);
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  draw(context, marks);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (blob) return blob;
  throw new Error(`the browser cannot write a PNG of ${canvas.width}×${canvas.height}: choose a smaller scale`);
}

export function draw(context: CanvasRenderingContext2D, marks: readonly Mark[]): void {
  for (const mark of marks) {
    context.save();
    if ("image" in mark) {
      const { image, box, clip } = mark;
      context.globalAlpha = mark.opacity;
      context.imageSmoothingEnabled = mark.smooth;
      context.imageSmoothingQuality = "high";
      if (clip) {
        context.beginPath();
        context.rect(clip.x, clip.y, clip.width, clip.height);
        context.clip();
      }
      context.drawImage(image, box.x, box.y, box.width, box.height);
    } else if ("text" in mark) {
      context.font = `${mark.size}px ${FONT}`;
      context.fillStyle = INK;
      context.textAlign = mark.anchor === "middle" ? "center" : mark.anchor;
      context.fillText(mark.text, mark.x, mark.y);
    } else {
      const path = new Path2D(mark.path);
      context.globalAlpha = mark.opacity;
      context.fillStyle = mark.fill;
      context.strokeStyle = mark.stroke;
      context.lineWidth = mark.width;
      context.lineJoin = "round";
      context.setLineDash(mark.dashes ? [4, 3] : []);
      if (mark.fill !== "none") context.fill(path);
      if (mark.stroke !== "none") context.stroke(path);
    }
    context.restore();
  }
}
