/** Several words at once, each in a colour of its own. */

import { not_a_number, pack } from "./luts.ts";

/**
 * Colour by colour weighted with the position of each value on its own scale, as opaque as the strongest. Pixels are
 * what ImageData holds: colours are not multiplied by their opacity.
 */
export function mix_hues(
  maps: readonly Float32Array[],
  positions: (value: number, i: number) => number,
  rgbs: readonly (readonly [number, number, number])[],
  pixels: Uint32Array,
): void {
  for (let cell = 0; cell < pixels.length; cell++) {
    let r = 0;
    let g = 0;
    let b = 0;
    let sum = 0;
    let most = 0;
    for (let i = 0; i < maps.length; i++) {
      const weight = positions((maps[i] as Float32Array)[cell] as number, i);
      const rgb = rgbs[i] as readonly [number, number, number];
      r += weight * rgb[0];
      g += weight * rgb[1];
      b += weight * rgb[2];
      sum += weight;
      most = Math.max(most, weight);
    }
    if (Number.isNaN(sum)) pixels[cell] = not_a_number(cell);
    else if (sum === 0) pixels[cell] = 0;
    else pixels[cell] = pack(Math.round(r / sum), Math.round(g / sum), Math.round(b / sum), Math.round(255 * most));
  }
}
