/** Draws the values of a map on its canvas: one map, words in colours of their own, the strongest word, a mask. */

import { colour, colour_flat, colour_winners, darken } from "../maps/colouring.ts";
import { mix_hues } from "../maps/hues.ts";
import { type Limits, position } from "../maps/scaling.ts";
import { hues_of } from "../scope/facts.ts";
import type { At } from "../scope/selection.ts";
import { type Frame, words_at } from "./frame.ts";
import { limits_of, type Shared } from "./limits.ts";
import type { MapCanvas } from "./targets.ts";
import type { MapValues } from "./values.ts";

/** Draws what changed; with `mask` the map is what it leaves of darkness. */
export function draw(target: MapCanvas, frame: Frame, at: At, shared: Shared, mask = false): void {
  const { values } = target;
  const { field, drawn, winners } = values;
  if (!field) return;
  const { transform, table } = frame;
  const limits = limits_of(frame, values, shared).map(({ lo, hi }) => ({ lo, hi }));
  const flat = drawn.length === 1 && values.extent?.constant != null && frame.scale === "own" && !frame.locked;
  const key = JSON.stringify([values.version, limits, transform, frame.cmap, flat, mask]);
  if (target.drawn === key) return;
  target.drawn = key;
  target.paint(field.height, field.width, (pixels) => {
    const [map] = drawn;
    const within = limits[0] as Limits;
    if (!map) {
      const { contenders, colours } = frame.scope.facts_of(at);
      const palette = contenders.map((chip) => colours.get(chip));
      if (winners) colour_winners(winners, palette, pixels);
    } else if (drawn.length > 1) {
      const place = (value: number, i: number) => position(value, limits[i] as Limits, transform);
      mix_hues(drawn, place, hues_of(frame.scope.facts_of(at), words_at(frame, at)), pixels);
    } else if (flat) colour_flat(pixels);
    else if (mask) darken(map, within, transform, pixels);
    else colour(map, table, within, transform, pixels);
  });
}

/** A mask is of one map and needs a picture to darken; the strongest word has colours in any case. */
export function blend_of({ blend, scope }: Frame, at: At, { maps }: MapValues): Frame["blend"] {
  const { pictures, preview } = scope.facts_of(at).manifest;
  const pictured = pictures[at.image]?.[1] || (preview && scope.state.is.show_preview.peek());
  const masks = maps.length === 1 && pictured;
  return maps.length === 0 || (blend === "mask" && !masks) ? "colour" : blend;
}

/** What a tile or a pane says of one cell: a number, or the strongest word. */
export function cell_value(frame: Frame, at: At, values: MapValues, cell: number): number | string {
  if (values.map) return values.maps.reduce((sum, map) => sum + (map[cell] as number), 0);
  return frame.scope.facts_of(at).contenders[values.winners?.[cell] ?? -1]?.text ?? "";
}
