/** In which order the heads of the open layer stand. */

import { type HeadStats, head_stats, order_heads } from "../maps/measures.ts";
import { probability } from "../maps/numbers.ts";
import type { Sort } from "../wire/protocol.ts";
import { find } from "./finding.ts";
import { read_frame, words_in } from "./frame.ts";
import type { Painter } from "./painter.ts";
import { MapValues } from "./values.ts";

export interface Ranked {
  head: number;
  /** What it is sorted by, in words; empty where by number. */
  mark: string;
}

const MARKS: Record<Exclude<Sort, "index">, (stats: HeadStats, cells: number) => string> = {
  entropy: ({ entropy }) => `${entropy.toFixed(1)} bits`,
  mass: ({ mass }, cells) => probability(mass / cells),
  similarity: ({ similarity }) => `r ${similarity.toFixed(2).replace("-", "−")}`,
};

/** By number where a map is lacking: half an order would be none. Goes by what is pinned, never by the pointer. */
export function sorted_heads({ scope }: Painter): Ranked[] {
  const at = scope.at.value;
  const { sort, token, uv, hues, renormalise, drop } = scope.state.is;
  for (const each of [token, uv, hues, renormalise, drop]) each.value;
  const all = Array.from({ length: at.layer?.single_heads ?? 0 }, (_, head) => head);
  const by = sort.value;
  const as_they_are = all.map((head) => ({ head, mark: "" }));
  if (by === "index") return as_they_are;
  const frame = { ...read_frame(scope, { tile: null, columns: null, uv: null, region: null }), hues: false };
  const words = words_in(frame, at);
  // With no word chosen it is what heads give to the words of the prompt.
  const wanted = words.length ? words : scope.facts.value.contenders.map((chip) => chip.columns);
  const map_of = (head: (typeof at)["head"]): Float32Array | undefined => {
    const { field, coarse } = find(frame, at, { layers: [at.layer.layer], head });
    const values = new MapValues();
    if (field && !coarse) values.update(field, at, frame, wanted);
    return values.map;
  };
  const maps = all.map(map_of);
  if (maps.some((map) => !map)) return as_they_are;
  const pinned = by === "similarity" ? map_of(at.head) : undefined;
  const stats = head_stats(maps as Float32Array[], pinned ?? null);
  const cells = maps[0]?.length ?? 1;
  return order_heads(stats, by).map((head) => ({ head, mark: MARKS[by](stats[head] as HeadStats, cells) }));
}
