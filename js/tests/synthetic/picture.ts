/** What the captures are of: a red circle above a blue square. */

import { random } from "./random.ts";

/** How much of a cell is in the circle, and in the square. */
export function shapes_at(x: number, y: number, width: number, height: number): [circle: number, square: number] {
  const short = Math.min(width, height);
  const edge = (distance: number) => Math.min(1, Math.max(0, 0.5 - distance * short));
  const [px, py] = [(x + 0.5 - width / 2) / short, (y + 0.5 - height / 2) / short];
  const tall = height / short;
  return [
    edge(Math.hypot(px, py + 0.2 * tall) - 0.17),
    edge(Math.max(Math.abs(px), Math.abs(py - 0.23 * tall)) - 0.15),
  ];
}

/** The picture, mixed with noise for the steps before the last. */
export function picture(width: number, height: number, progress: number): Uint8Array {
  const rgb = new Uint8Array(3 * width * height);
  const rnd = random(7);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += 3) {
      const [circle, square] = shapes_at(x, y, width, height);
      const shade = 1 - (0.16 * (y + 0.5)) / height;
      const mix = (ground: number, red: number, blue: number) =>
        (ground * (1 - circle) + red * circle) * (1 - square) + blue * square;
      const clean = [mix(236, 204, 46) * shade, mix(229, 58, 92) * shade, mix(214, 48, 176) * shade];
      for (let c = 0; c < 3; c++) {
        const noise = 128 + 150 * (rnd() + rnd() + rnd() - 1.5);
        const keep = progress ** 0.7;
        rgb[i + c] = Math.max(0, Math.min(255, keep * (clean[c] as number) + (1 - keep) * noise));
      }
    }
  return rgb;
}
