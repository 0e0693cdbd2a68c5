/** The values of one map on screen, brought up to date only where what they are made of changed. */

import { type Extent, extent } from "../maps/colouring.ts";
import { type Field, strongest, token_map } from "../maps/fields.ts";
import { ranks } from "../maps/scaling.ts";
import type { Frame } from "./frame.ts";

export class MapValues {
  field: Field | null = null;
  /** One map, or one for each word; none where the strongest word is shown. */
  maps: Float32Array[] = [];
  /** The same as ranks, where those are drawn. */
  ranked: Float32Array[] = [];
  extent: Extent | null = null;
  /** Which of the contenders is strongest. */
  winners: Uint8Array | undefined;
  /** Counts changes: what was drawn of an older version is out of date. */
  version = 0;
  #made = "";

  get height(): number {
    return this.field?.height ?? 1;
  }

  get width(): number {
    return this.field?.width ?? 1;
  }

  get map(): Float32Array | undefined {
    return this.maps[0];
  }

  update(field: Field, words: readonly (readonly number[])[], { hues, transform, scope }: Frame): void {
    const rank = transform === "rank";
    const made = `${words.join("|")} ${hues} ${rank}`;
    if (this.field === field && this.#made === made) return;
    this.field = field;
    this.#made = made;
    this.version += 1;
    const contest = words.length === 0;
    const chosen = contest ? [] : hues ? words : [words.flat()];
    this.maps = chosen.map((columns, i) => token_map(field, columns, this.maps[i]));
    this.ranked = rank ? this.maps.map((map, i) => ranks(map, this.ranked[i])) : [];
    this.extent = this.map ? extent(this.map) : null;
    if (contest) this.winners = strongest(field, scope.facts.peek().contenders, this.winners);
  }

  /** What colours are made of: ranks stand on the colour bar as they are. */
  get drawn(): readonly Float32Array[] {
    return this.ranked.length ? this.ranked : this.maps;
  }

  clear(): void {
    this.field = null;
    this.#made = "";
  }
}
