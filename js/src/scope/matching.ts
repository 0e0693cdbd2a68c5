/** Two captures need not share a prompt: words are matched by what they say and how often they were said before. */

import type { Manifest } from "../wire/protocol.ts";
import { type Chip, chips } from "./words.ts";

/** Chips by what identifies them in another prompt; of two words that are the same, the second is another key. */
function named(manifest: Manifest): Map<string, Chip> {
  const said = new Map<string, number>();
  const out = new Map<string, Chip>();
  const known = new Map(manifest.tokens.map((info) => [info.token, info]));
  for (const chip of chips(manifest)) {
    const info = known.get(chip.first);
    if (!info || (chip.kind === "prompt" && info.word_index < 0)) continue; // labels are positions: they say nothing
    const word = chip.kind === "prompt" ? `word ${info.word.trim().toLowerCase()}` : chip.kind;
    const times = said.get(word) ?? 0;
    said.set(word, times + 1);
    out.set(`${word} ${times}`, chip);
  }
  return out;
}

const MATCHED = new WeakMap<Manifest, WeakMap<Manifest, Map<number, number[]>>>();

/** From each token position of one capture to those of the same word in the other; a word that is not there has none. */
export function match_words(from: Manifest, to: Manifest): ReadonlyMap<number, number[]> {
  let of_from = MATCHED.get(from);
  if (!of_from) MATCHED.set(from, (of_from = new WeakMap()));
  let known = of_from.get(to);
  if (!known) of_from.set(to, (known = match(from, to))); // asked for at every move of the pointer
  return known;
}

function match(from: Manifest, to: Manifest): Map<number, number[]> {
  const there = named(to);
  const out = new Map<number, number[]>();
  for (const [key, chip] of named(from)) {
    const found = there.get(key);
    if (found) for (const position of chip.positions) out.set(position, found.positions);
  }
  return out;
}

/** Some positions of one capture as positions of the other, in order and each once. */
export const matched = (positions: readonly number[], matches: ReadonlyMap<number, number[]>): number[] =>
  [...new Set(positions.flatMap((position) => matches.get(position) ?? []))].sort((a, b) => a - b);
