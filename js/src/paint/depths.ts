/** Transformer blocks in numbers: the attention that each gives to the words shown, and how its map is spread. */

import { type Field, token_map } from "../maps/fields.ts";
import { entropy_bits } from "../maps/measures.ts";
import type { Scope } from "../scope/scope.ts";
import { find } from "./finding.ts";
import { type Frame, words_at } from "./frame.ts";
import { write } from "./targets.ts";

/** A cell of a block that gives nothing is still there to be pointed at. */
const LEAST = 0.12;

/** The words shown, else all that the strongest-word map knows. */
const columns_in = ({ columns, scope }: Frame): readonly number[] =>
  columns.length ? columns : scope.facts.peek().contenders.flatMap((chip) => chip.columns);

const sum = (row: readonly (number | null)[] | undefined, columns: readonly number[]): number =>
  columns.reduce((total, column) => total + (row?.[column] ?? 0), 0);

const mass_of = ({ manifest }: Scope, layer: string, index: number, columns: readonly number[]): number =>
  sum(manifest.mass[layer]?.[index], columns);

let top = { key: "", of: null as unknown, most: 0 };

/** Over all layers and steps: strips are comparable, and stand still while steps go by. */
function most(scope: Scope, columns: readonly number[]): number {
  const { mass, steps } = scope.manifest;
  const key = `${columns}|${steps.length}`;
  if (top.key !== key || top.of !== mass) {
    const all = Object.values(mass).flatMap((rows) => rows.map((row) => sum(row, columns)));
    top = { key, of: mass, most: all.reduce((a, b) => Math.max(a, b), 0) };
  }
  return top.most;
}

const drawn = new WeakMap<HTMLElement, string>();

/** One cell a layer, as high as the mass of the words; all alike for self-attention, which has no words. */
export function paint_depths(root: HTMLElement, layers: readonly string[], frame: Frame): void {
  const { scope, at } = frame;
  const columns = at.kind === "cross" ? columns_in(frame) : [];
  const key = `${columns}|${at.index}|${layers}`;
  if (drawn.get(root) === key) return;
  drawn.set(root, key);
  const whole = most(scope, columns);
  layers.forEach((layer, i) => {
    const share = whole > 0 ? mass_of(scope, layer, at.index, columns) / whole : 0;
    const bar = root.children[i]?.firstElementChild as HTMLElement | null;
    if (bar) bar.style.transform = `scaleY(${Math.max(LEAST, share).toFixed(3)})`;
  });
}

const known = new WeakMap<Field, { key: string; bits: number }>();

function bits_of(field: Field, columns: readonly number[]): number {
  const key = columns.join();
  let entry = known.get(field);
  if (entry?.key !== key) known.set(field, (entry = { key, bits: entropy_bits(token_map(field, columns)) }));
  return entry.bits;
}

/** Bits of the map of the words, where some are chosen or hovered, else of what every pixel receives. */
export function paint_entropies(root: HTMLElement, layers: readonly string[], frame: Frame): void {
  const { scope } = frame;
  const { kinds } = scope.facts.peek();
  const words = words_at(frame, scope.at_of.cross.peek());
  const kind = words.length || !kinds.includes("self") ? "cross" : "self";
  const columns = kind === "self" ? [0] : words.length ? words.flat() : columns_in(frame);
  const [name, ...cells] = [...root.children] as HTMLElement[];
  const looks = frame.at.direction === "row" ? "what the pixel looks at" : "what looks at the pixel";
  const of_self = frame.pinned ? looks : "attention received";
  write(name, `entropy in bits of ${kind === "self" ? of_self : words.length ? "the word's map" : "the words' map"}`);
  layers.forEach((layer, i) => {
    const { field, coarse } = find(frame, scope.at_of[kind].peek(), { layers: [layer], head: null });
    const bits = field && !coarse ? bits_of(field, columns) : Number.NaN;
    write(cells[i], Number.isNaN(bits) ? "–" : bits.toFixed(2));
  });
}
