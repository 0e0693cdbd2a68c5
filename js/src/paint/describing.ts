/** Says of every canvas what is drawn on it: when nothing moves any more, not with the pointer. */

import { cell_at, distribution } from "../maps/fields.ts";
import { half_mass, peak } from "../maps/measures.ts";
import { figure, probability } from "../maps/numbers.ts";
import { word_names } from "../scope/facts.ts";
import type { At } from "../scope/selection.ts";
import { type Frame, words_at } from "./frame.ts";
import type { Painter } from "./painter.ts";
import type { MapValues } from "./values.ts";

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** In thirds of the map, as one says it. */
export function whereabouts(y: number, x: number, height: number, width: number): string {
  const third = (at: number, size: number) => Math.min(2, Math.floor((3 * (at + 0.5)) / size));
  const words = [["upper", "", "lower"][third(y, height)], ["left", "", "right"][third(x, width)]];
  return words.filter(Boolean).join(" ") || "in the middle";
}

/** `‘cat’: peak 0.31 upper left, 50 % of the mass in 6 % of the pixels`. */
export function describe_map(map: Float32Array, height: number, width: number): string {
  const top = peak(map, width);
  if (!top) return "no cell is a number";
  let lacking = 0;
  let equal = true;
  for (const value of map) {
    if (Number.isNaN(value)) lacking += 1;
    else if (value !== top.value) equal = false;
  }
  const gaps = lacking ? `, ${lacking} ${lacking === 1 ? "cell is" : "cells are"} not a number` : "";
  if (equal) return `constant ${figure(top.value)}${gaps}`;
  const place = whereabouts(top.y, top.x, height, width);
  const { share } = half_mass(map);
  const spread = Number.isNaN(share) ? "" : `, 50 % of the mass in ${percent(share)} of the pixels`;
  return `peak ${figure(top.value)} ${place}${spread}${gaps}`;
}

/** Which words are strongest in how much of the map, three of them. */
function describe_winners(winners: Uint8Array, names: readonly string[]): string {
  const counts = names.map(() => 0);
  for (const winner of winners) if (winner < counts.length) counts[winner] = (counts[winner] as number) + 1;
  const most = names
    .map((name, i) => ({ name, share: (counts[i] as number) / winners.length }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  return `strongest word ${most
    .slice(0, 3)
    .map(({ name, share }) => `‘${name}’ in ${percent(share)}`)
    .join(", ")} of the pixels`;
}

function describe_values(frame: Frame, at: At, { maps, winners, height, width }: MapValues): string {
  const facts = frame.scope.facts_of(at);
  if (!maps.length) {
    return winners
      ? describe_winners(
          winners,
          facts.contenders.map(({ text }) => text),
        )
      : "";
  }
  const words = at.kind === "cross" ? words_at(frame, at) : [];
  return maps
    .map((map, i) => {
      const whose = word_names(facts, maps.length > 1 ? words.slice(i, i + 1) : words);
      return `${whose && `${whose}: `}${describe_map(map, height, width)}`;
    })
    .join("; ");
}

const known = new WeakMap<MapValues, { version: number; text: string }>();

function described(frame: Frame, at: At, values: MapValues): string {
  const last = known.get(values);
  if (last?.version === values.version) return last.text;
  const text = describe_values(frame, at, values);
  known.set(values, { version: values.version, text });
  return text;
}

function name(element: Element, text: string): void {
  if (element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
}

export function describe(painter: Painter): void {
  const { scope } = painter;
  if (!scope.manifest.steps.length) return;
  const frame = painter.frame();
  const seen_as = (at: At, kind = at.kind) => (kind === at.kind ? at : scope.at_of[kind].peek());
  for (const { map, root, kind } of painter.tiles.values()) {
    const stale = root.classList.contains("as-stale");
    const text = map.values.field && !stale ? described(frame, seen_as(frame.at, kind), map.values) : "not here yet";
    name(map.canvas, text); // a part of the tile's own name, which its label and its number go on with
  }
  for (const { role, map, root, title, badge } of painter.panes) {
    const at = role === "b" && frame.other ? frame.other : frame.at;
    const stale = root.classList.contains("as-stale") || !map.values.field;
    const [only, ...more] = map.values.maps;
    const { height, width } = map.values;
    // Of one word its title says which.
    const text =
      role === "difference"
        ? badge.textContent
        : only && !more.length
          ? describe_map(only, height, width)
          : described(frame, at, map.values);
    name(map.canvas, `${title.textContent}: ${stale ? "not here yet" : text}`);
  }
}

/** The words of the prompt and their values at the pinned pixel. */
export interface PinTable {
  caption: string;
  rows: readonly (readonly [string, string])[];
}

/** Null where nothing is pinned, or the large map is not here or of pixels. */
export function table_at_pin({ shown, scope }: Painter, frame: Frame): PinTable | null {
  const { pinned } = frame;
  if (!pinned || !shown?.field || shown.at.kind !== "cross") return null;
  const { field, at } = shown;
  const row = distribution(field, pinned, new Float32Array(field.tokens));
  const [y, x] = cell_at(field, ...pinned);
  return {
    caption: `attention at the pinned pixel: y ${y}, x ${x} of ${field.height}×${field.width}, step ${at.step}`,
    rows: scope
      .facts_of(at)
      .chips.map(({ text, columns }) => [text, probability(columns.reduce((sum, c) => sum + (row[c] ?? 0), 0))]),
  };
}
