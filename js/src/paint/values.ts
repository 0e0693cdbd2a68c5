/** The values of one map on screen, brought up to date only where what they are made of changed. */

import { type Extent, extent } from "../maps/colouring.ts";
import { type Field, NO_TOKEN, strongest, token_map } from "../maps/fields.ts";
import { ranks } from "../maps/scaling.ts";
import type { At } from "../scope/selection.ts";
import { type Frame, words_in } from "./frame.ts";

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

  update(field: Field, at: At, frame: Frame, words = words_in(frame, at)): void {
    const { hues, transform, scope } = frame;
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
    if (contest) this.winners = strongest(field, scope.facts_of(at).contenders, this.winners);
    const nan = contest ? this.winners?.filter((winner) => winner === NO_TOKEN).length : 0;
    this.extent = this.map ? extent(this.map) : { hi: 0, nan: nan ?? 0, constant: null };
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
