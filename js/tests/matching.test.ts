import { expect, it } from "vitest";
import { match_words, matched } from "../src/scope/matching.ts";
import type { Manifest, TokenInfo } from "../src/wire/protocol.ts";

/** Words with pieces parted by "|", between a beginning and an end. */
function prompt(words: string[], known = true): Manifest {
  const tokens: TokenInfo[] = [{ token: 0, text: "", word: "bos", word_index: -1, kind: "bos", count: 1 }];
  words.forEach((word, word_index) => {
    for (const text of word.split("|"))
      tokens.push({
        token: tokens.length,
        text,
        word: word.replaceAll("|", ""),
        word_index: known ? word_index : -1,
        kind: "prompt",
        count: 1,
      });
  });
  for (const kind of ["eos", "pad"] as const)
    tokens.push({ token: tokens.length, text: "", word: kind, word_index: -1, kind, count: kind === "pad" ? 70 : 1 });
  return { tokens } as Manifest;
}

it("words match by what they say and how often it was said, in any case and in any pieces", () => {
  const from = prompt(["A", "red", "cir|cle", "a", "square"]); // 0 A 1 red 2 cir 3 cle 4 a 5 square 6, 7 eos, 8 pad
  const to = prompt(["a", "squ|are", "on", "a", "Red", "a"]); // a 1 squ 2 are 3 on 4 a 5 Red 6 a 7, 8 eos, 9 pad
  const matches = match_words(from, to);
  expect(Object.fromEntries(matches)).toEqual({ 0: [0], 1: [1], 2: [6], 5: [5], 6: [2, 3], 7: [8], 8: [9] });
  expect(matched([6, 2, 3], matches)).toEqual([2, 3, 6]);
  expect(matched([3, 4], matches)).toEqual([]);
  expect(Object.fromEntries(match_words(to, from))[3]).toEqual([6]);
});

it("positions without words match nothing but the beginning and the end", () => {
  const matches = match_words(prompt(["1", "2"], false), prompt(["1", "2"], false));
  expect([...matches.keys()]).toEqual([0, 3, 4]);
});
