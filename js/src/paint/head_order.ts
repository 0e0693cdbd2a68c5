/** In which order the heads of the open layer stand. */

import { head_stats, order_heads } from "../maps/measures.ts";
import { find } from "./finding.ts";
import { read_frame, words_in } from "./frame.ts";
import type { Painter } from "./painter.ts";
import { MapValues } from "./values.ts";

/** By number where a map is lacking: half an order would be none. Goes by what is pinned, never by the pointer. */
export function sorted_heads({ scope }: Painter): number[] {
  const at = scope.at.value;
  const { sort, token, uv, hues, renormalise, drop } = scope.state.is;
  for (const each of [token, uv, hues, renormalise, drop]) each.value;
  const all = Array.from({ length: at.layer?.single_heads ?? 0 }, (_, head) => head);
  if (sort.value === "index") return all;
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
  if (maps.some((map) => !map)) return all;
  const pinned = sort.value === "similarity" ? map_of(at.head) : undefined;
  return order_heads(head_stats(maps as Float32Array[], pinned ?? null), sort.value);
}
