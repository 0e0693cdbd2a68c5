/** Chips: the prompt's tokens as a reader sees them, pieces of a word merged, padding as one. */

import type { Manifest, Token, TokenInfo } from "../wire/protocol.ts";

export interface Chip {
  /** First position: the chip's identity in the page. */
  first: number;
  /** Positions in the encoder's sequence: what the trait `token` holds. */
  positions: number[];
  /** Indices into the token axis of every packet. */
  columns: number[];
  text: string;
  kind: TokenInfo["kind"];
  /** Of a piece: whether it begins its word. */
  place?: "first" | "inner";
}

/** More colours than these cannot be told apart. */
export const MOST_HUES = 6;

export function chips(manifest: Manifest): Chip[] {
  const out: Chip[] = [];
  const open = new Map<string, Chip & { count: number }>();
  manifest.tokens.forEach((info, column) => {
    const group =
      info.kind === "prompt"
        ? info.word_index < 0
          ? `token ${info.token}`
          : `word ${info.word_index}`
        : info.kind === "bos"
          ? `bos ${info.token}`
          : info.kind;
    const known = open.get(group);
    if (known) {
      known.positions.push(info.token);
      known.columns.push(column);
      known.count += info.count;
      known.text = label(info, known.count);
      return;
    }
    const chip = {
      first: info.token,
      positions: [info.token],
      columns: [column],
      text: label(info, info.count),
      kind: info.kind,
      count: info.count,
    };
    open.set(group, chip);
    out.push(chip);
  });
  return out;
}

function label(info: TokenInfo, count: number): string {
  if (info.kind === "prompt") return (info.word_index < 0 ? info.text : info.word).trim() || "␣";
  return count > 1 ? `⟨${info.kind}×${count}⟩` : `⟨${info.kind}⟩`;
}

/** Words of several pieces as these pieces; all other chips as they are. */
export function pieces(manifest: Manifest, list: readonly Chip[]): Chip[] {
  return list.flatMap((chip) => {
    if (chip.kind !== "prompt" || chip.columns.length < 2) return chip;
    return chip.columns.map((column, i): Chip => {
      const first = chip.positions[i] as number;
      const text = manifest.tokens[column]?.text.trim() || "␣";
      return { first, positions: [first], columns: [column], text, kind: chip.kind, place: i ? "inner" : "first" };
    });
  });
}

/** The chips that a reader looks for: those with these letters, wherever in the word. */
export function found(list: readonly Chip[], letters: string): Chip[] {
  const wanted = letters.trim().toLowerCase();
  return list.filter((chip) => chip.text.toLowerCase().includes(wanted));
}

export const content = (list: Chip[]): Chip[] => list.filter((chip) => chip.kind === "prompt");

/** The trait's value as positions in the prompt's order: null and the empty list both choose nothing. */
export const positions = (token: Token): number[] => (token === null ? [] : [token].flat().sort((a, b) => a - b));

/** Positions as columns of the packets; a position that was not kept has none. */
export function columns(manifest: Manifest, token: Token): number[] {
  const kept = manifest.tokens.map((info) => info.token);
  return positions(token).flatMap((position) => (kept.includes(position) ? [kept.indexOf(position)] : []));
}

export const texts = (manifest: Manifest, cols: readonly number[]): string[] =>
  cols.map((column) => {
    const info = manifest.tokens[column];
    if (!info) return "?";
    return ["bos", "eos", "pad"].includes(info.kind) ? label(info, info.count) : info.text.trim();
  });

/** What the trait becomes when this chip alone is chosen. */
export const token_of = (chip: Chip): Token => (chip.positions.length === 1 ? chip.first : [...chip.positions]);

export function is_chosen(token: Token, chip: Chip): boolean {
  const chosen = positions(token);
  return chip.positions.every((position) => chosen.includes(position));
}

/** Adds the chip to what is chosen, or takes it away. */
export function toggle(token: Token, chip: Chip): Token {
  const chosen = positions(token);
  const rest = chosen.filter((position) => !chip.positions.includes(position));
  const next = is_chosen(token, chip) ? rest : [...rest, ...chip.positions].sort((a, b) => a - b);
  return next.length === 0 ? null : next.length === 1 ? (next[0] as number) : next;
}

/**
 * Which colour each content chip has in the strongest-word map, by index into the chips; -1 is "other".
 * There are fewer colours than words in a long prompt: those with most attention in the whole run get one.
 */
export function colour_slots(manifest: Manifest, list: Chip[], slots: number): number[] {
  const mass = new Array<number>(manifest.tokens.length).fill(0);
  for (const steps of Object.values(manifest.mass)) {
    for (const row of steps)
      row.forEach((value, column) => {
        mass[column] = (mass[column] ?? 0) + (value ?? 0);
      });
  }
  const weight = (chip: Chip) => chip.columns.reduce((sum, column) => sum + (mass[column] ?? 0), 0);
  const chosen = new Set(
    content(list)
      .sort((a, b) => weight(b) - weight(a))
      .slice(0, slots),
  );
  let next = 0;
  return list.map((chip) => (chosen.has(chip) ? next++ : -1));
}
