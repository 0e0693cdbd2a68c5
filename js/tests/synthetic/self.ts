/** Self-attention: pixels of a thing look at that thing, and at what is near. */

import { row_of } from "../../src/maps/selfattention.ts";
import type { LayerInfo } from "../../src/wire/protocol.ts";
import { HEAD_WIDTH } from "./layers.ts";
import { shapes_at } from "./picture.ts";
import { random } from "./random.ts";

export interface SelfHead {
  /** [pixels, HEAD_WIDTH] both. */
  query: Float32Array;
  key: Float32Array;
  lse: Float32Array;
  scale: number;
  /** Sums of the columns: how much attention each pixel gets, 1 being an even share. */
  received: Float32Array;
}

const WAVES = [0.5, 1, 2]; // periods along a side: what is near looks alike

export function self_heads(info: LayerInfo, nth: number, progress: number): SelfHead[] {
  const rnd = random(1409 * nth + 5);
  return Array.from({ length: info.heads }, () => {
    const near = Math.sqrt(0.3 + 2.2 * rnd() ** 2);
    const alike = Math.sqrt((4 + 14 * rnd()) * (0.25 + 0.75 * progress));
    const pulls = [0.3 + 1.4 * rnd(), 0.3 + 1.4 * rnd()] as const; // things get more attention than the ground
    const grain = [1 + 2 * rnd(), 1 + 2 * rnd(), 6.28 * rnd()] as const;
    return summed(info, queries_keys(info, near, alike, pulls, grain));
  });
}

function queries_keys(
  { height, width }: LayerInfo,
  near: number,
  alike: number,
  pulls: readonly [number, number],
  grain: readonly [number, number, number],
) {
  const query = new Float32Array(height * width * HEAD_WIDTH);
  const key = new Float32Array(query.length);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += HEAD_WIDTH) {
      const places = [(x + 0.5) / width, (y + 0.5) / height];
      const [circle, square] = shapes_at(x, y, width, height);
      const codes = places.flatMap((place) =>
        WAVES.flatMap((wave) => [Math.cos(6.283 * wave * place), Math.sin(6.283 * wave * place)]),
      );
      const thing = [circle, square, 1 - circle - square].map((share) => alike * share);
      const features = [...codes.map((code) => near * code), ...thing];
      const wave =
        Math.sin(grain[0] * (places[0] as number) * 6.28 + grain[2]) *
        Math.cos(grain[1] * 6.28 * (places[1] as number));
      query.set([...features, Math.sqrt(HEAD_WIDTH)], at); // so that the last of a key counts as it is
      key.set([...features, circle * pulls[0] + square * pulls[1] + 0.2 * wave], at);
    }
  return { query, key };
}

function summed({ height, width }: LayerInfo, { query, key }: Pick<SelfHead, "query" | "key">): SelfHead {
  const pixels = height * width;
  const scale = HEAD_WIDTH ** -0.5;
  const lse = new Float32Array(pixels);
  const received = new Float32Array(pixels);
  const row = new Float32Array(pixels);
  const qk = { query, key, lse: new Float32Array(pixels), scale, bias: null, pixels, width: HEAD_WIDTH };
  for (let i = 0; i < pixels; i++) {
    row_of(qk, i, row); // with log-sum-exps of 0 a row is what its own is taken from
    let sum = 0;
    for (const weight of row) sum += weight;
    lse[i] = Math.log(sum);
    for (let j = 0; j < pixels; j++) received[j] = (received[j] as number) + (row[j] as number) / sum;
  }
  return { query, key, lse, scale, received };
}
