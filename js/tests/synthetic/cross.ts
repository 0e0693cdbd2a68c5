/** Cross-attention: blobs where the words of the picture are, and most of it on BOS. */

import type { LayerInfo, TokenInfo } from "../../src/wire/protocol.ts";
import { random } from "./random.ts";

/** Where each word of the picture is, and how wide; a word without a place is spread thin. */
const PLACES: Record<string, readonly [number, number, number]> = {
  red: [0.5, 0.3, 0.15],
  circle: [0.5, 0.3, 0.17],
  above: [0.5, 0.52, 0.2],
  blue: [0.5, 0.73, 0.15],
  square: [0.5, 0.73, 0.16],
};

/** How a text encoder frames a prompt: CLIP has a beginning and 77 places, T5 no beginning and any number of them. */
export interface Frame {
  bos: boolean;
  places: number;
}

export function token_list(words: string[], known: boolean, frame: Frame): TokenInfo[] {
  const special = (token: number, kind: "bos" | "eos" | "pad", count: number): TokenInfo => ({
    token,
    text: kind === "bos" ? "<|startoftext|>" : "<|endoftext|>",
    word: kind,
    word_index: -1,
    kind,
    count,
  });
  const out: TokenInfo[] = frame.bos ? [special(0, "bos", 1)] : [];
  words.forEach((word, word_index) => {
    // "sq|uare": pieces of one word
    for (const text of word.split("|")) {
      const token = out.length;
      const whole = word.replaceAll("|", "");
      if (known) out.push({ token, text, word: whole, word_index, kind: "prompt", count: 1 });
      else out.push({ token, text: String(token), word: String(token), word_index: -1, kind: "prompt", count: 1 });
    }
  });
  out.push(special(out.length, "eos", 1));
  if (out.length < frame.places) out.push(special(out.length, "pad", frame.places - out.length));
  return out;
}

export function maps_of(
  info: LayerInfo,
  nth: number,
  tokens: TokenInfo[],
  words: string[],
  progress: number,
): Float32Array {
  const { heads, height, width } = info;
  const area = height * width;
  const out = new Float32Array(heads * tokens.length * area);
  const rnd = random(977 * nth + 13);
  const keys = tokens.map((info) =>
    info.word_index === null ? "" : (words[info.word_index] ?? "").replaceAll("|", ""),
  );
  for (let head = 0; head < heads; head++) {
    const care = 1.2 + 3.4 * rnd() ** 1.5; // how much this head looks at things at all
    const sharp = 0.75 + 0.9 * rnd();
    const drift = 0.16 * (1 - progress) + 0.02;
    const centres = tokens.map(() => [drift * (rnd() - 0.5) * 2, drift * (rnd() - 0.5) * 2] as const);
    const likes = tokens.map(() => 0.35 + rnd());
    const grain = tokens.map(() => [3 + 9 * rnd(), 3 + 9 * rnd(), 6.28 * rnd()] as const);
    const start = head * tokens.length * area;
    for (let cell = 0; cell < area; cell++) {
      const u = ((cell % width) + 0.5) / width;
      const v = (Math.floor(cell / width) + 0.5) / height;
      let sum = 0;
      for (let t = 0; t < tokens.length; t++) {
        const token = tokens[t] as TokenInfo;
        const [gu, gv, phase] = grain[t] as readonly [number, number, number];
        let logit = 0.22 * Math.sin(gu * u * 6.28 + phase) * Math.cos(gv * v * 6.28 - phase);
        const place = PLACES[keys[t] as string];
        if (token.kind === "bos") logit += 2.6;
        else if (token.kind === "eos") logit += 0.7;
        else if (token.kind === "pad") logit += 1.1;
        else if (place) {
          const [du, dv] = centres[t] as readonly [number, number];
          const spread = (place[2] * (1.9 - 0.9 * progress)) / sharp;
          const distance = ((u - place[0] - du) ** 2 + (v - place[1] - dv) ** 2) / (2 * spread * spread);
          logit += care * (likes[t] as number) * (0.35 + 0.65 * progress) * Math.exp(-distance);
        } else logit -= 0.3;
        const weight = Math.exp(logit);
        out[start + t * area + cell] = weight;
        sum += weight;
      }
      for (let t = 0; t < tokens.length; t++) {
        const i = start + t * area + cell;
        out[i] = (out[i] as number) / sum;
      }
    }
  }
  return out;
}

export function mean_heads(maps: Float32Array, heads: number): Float32Array {
  const size = maps.length / heads;
  const out = new Float32Array(size);
  maps.forEach((value, i) => (out[i % size] = (out[i % size] as number) + value / heads));
  return out;
}

/** Block mean onto at most 32 cells a side, as the atlas is. */
export function reduce(values: Float32Array, planes: number, height: number, width: number) {
  const by = Math.ceil(Math.max(height, width) / 32);
  const h = Math.ceil(height / by);
  const w = Math.ceil(width / by);
  const out = new Float32Array(planes * h * w);
  const count = new Float32Array(h * w);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const cell = Math.floor(y / by) * w + Math.floor(x / by);
      count[cell] = (count[cell] as number) + 1;
      for (let plane = 0; plane < planes; plane++) {
        const i = plane * h * w + cell;
        out[i] = (out[i] as number) + (values[plane * height * width + y * width + x] as number);
      }
    }
  for (let i = 0; i < out.length; i++) out[i] = (out[i] as number) / (count[i % (h * w)] as number);
  return { values: out, h, w };
}
