/** A sheet as vectors: text, lines and legend; maps and pictures are embedded as they are, cell by cell. */

import { type Box, type Composition, FONT, INK } from "./compose.ts";

const ESCAPES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);

const at = ({ x, y, width, height }: Box): string => `x="${x}" y="${y}" width="${width}" height="${height}"`;

export function svg({ width, height, title, marks }: Composition): string {
  let clips = 0;
  const elements = marks.map((mark) => {
    if ("text" in mark) {
      const { text, x, y, size, anchor } = mark;
      return `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}">${escaped(text)}</text>`;
    }
    const faint = mark.opacity < 1 ? ` opacity="${mark.opacity}"` : "";
    if ("path" in mark) {
      const line =
        mark.stroke === "none"
          ? ""
          : ` stroke="${mark.stroke}" stroke-width="${mark.width}"${mark.dashes ? ' stroke-dasharray="4 3"' : ""}`;
      return `<path d="${mark.path}" fill="${mark.fill}"${line}${faint}/>`;
    }
    const { image, box, clip, smooth } = mark;
    const id = clip ? `clip${clips++}` : "";
    const cut = clip ? `<clipPath id="${id}"><rect ${at(clip)}/></clipPath>` : "";
    const style = smooth ? "" : ' style="image-rendering:pixelated"';
    const shown = clip ? ` clip-path="url(#${id})"` : "";
    return `${cut}<image ${at(box)} preserveAspectRatio="none"${style}${faint}${shown} href="${image.toDataURL()}"/>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    ` font-family="${FONT}" fill="${INK}" stroke-linejoin="round">`,
    `\n<title>${escaped(title)}</title>\n<path d="M0 0h${width}v${height}H0z" fill="#ffffff"/>\n`,
    elements.join("\n"),
    "\n</svg>\n",
  ].join("");
}
