/**
 * Draws everything that follows the pointer, in one animation frame from one state, past the virtual DOM:
 * maps, crosshairs, bars, values, legend.
 */

import { colour, colour_flat, colour_winners, type Extent, extent } from "../maps/colouring.ts";
import { atlas_layer, atlas_mean, cell_at, type Field, layer_head, strongest, token_map } from "../maps/fields.ts";
import { type ColourMap, lut } from "../maps/luts.ts";
import { probability } from "../maps/numbers.ts";
import type { At, Scope } from "../scope/scope.ts";
import { values } from "../wire/decode.ts";
import type { Head, Transform } from "../wire/protocol.ts";
import { paint_colour_bar, paint_legend } from "./colour_bar.ts";
import { paint_bars, paint_readout } from "./numbers.ts";
import { paint_picture } from "./picture.ts";
import { paint_sparklines } from "./sparklines.ts";
import {
  type BarTarget,
  type DetailTarget,
  flag,
  type Hover,
  type MapCanvas,
  type TileTarget,
  write,
} from "./targets.ts";

export type FixedScale = "own" | "shared" | "run";

/** One tick's view of the world. */
export interface Frame {
  at: At;
  columns: number[];
  uv: readonly [number, number] | null;
  scale: FixedScale;
  transform: Transform;
  table: Uint32Array;
  cmap: ColourMap;
  hover: Hover;
}

/** The best there is of what was asked for: the map itself, one from the atlas until it comes, or nothing yet. */
interface Found {
  field: Field | null;
  coarse: boolean;
  /** Whose map it is: the atlas has no single heads. */
  head: Head;
}

/** What the detail pane shows, for everything that speaks of it. */
export interface Shown extends Found {
  layers: string[];
  hi: number;
  extent: Extent | null;
  map: Float32Array | undefined;
}

export class Painter {
  readonly tiles = new Map<string, TileTarget>();
  readonly bars = new Map<number, BarTarget>();
  readonly chip_bars = new Map<number, BarTarget>();
  readonly parts: {
    legend?: HTMLElement | null;
    colour_bar?: HTMLCanvasElement | null;
    ticks?: HTMLElement | null;
    readout?: HTMLElement | null;
    readout_value?: HTMLElement | null;
    readout_where?: HTMLElement | null;
    total?: HTMLElement | null;
    scrub_spark?: SVGPathElement | null;
  } = {};
  detail: DetailTarget | null = null;
  readonly hover: Hover = { tile: null, columns: null, uv: null };
  /** The last legend sentence and what it speaks of: the caption of a saved picture. */
  legend_text = "";
  shown: Shown | null = null;
  #luts = new Map<ColourMap, Uint32Array>();
  #row = new Float32Array(0);
  #scheduled = 0;
  #stopped = false;
  #painted = 0;

  constructor(
    readonly scope: Scope,
    readonly root: HTMLElement,
    readonly fail: (error: Error) => void,
  ) {}

  /** A scratch row with one number per token. */
  row(tokens: number): Float32Array {
    if (this.#row.length !== tokens) this.#row = new Float32Array(tokens);
    return this.#row;
  }

  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = requestAnimationFrame(() => {
      this.#scheduled = 0;
      this.paint();
    });
  }

  stop(): void {
    this.#stopped = true;
    cancelAnimationFrame(this.#scheduled);
  }

  paint(): void {
    try {
      this.#paint();
    } catch (error) {
      this.fail(error as Error);
    }
    this.#painted += 1;
    this.root.dataset.painted = String(this.#painted);
  }

  frame(): Frame {
    const { state, at } = this.scope;
    const { scale, transform, cmap, uv } = state.is;
    const now = at.peek();
    const chosen = scale.peek();
    let table = this.#luts.get(cmap.peek());
    if (!table) this.#luts.set(cmap.peek(), (table = lut(cmap.peek())));
    return {
      at: now,
      columns: this.hover.columns ?? now.columns,
      uv: this.hover.uv ?? uv.peek(),
      scale: chosen === "auto" ? (now.level === "layer" ? "shared" : "own") : chosen,
      transform: transform.peek(),
      table,
      cmap: cmap.peek(),
      hover: this.hover,
    };
  }

  #paint(): void {
    if (!this.scope.manifest.steps.length) return; // nothing to paint yet
    const frame = this.frame();
    const tiles = [...this.tiles.values()];
    const extents = tiles.map((tile) => this.#resolve_tile(tile, frame));
    const shared = frame.scale === "own" ? null : this.#shared_limit(frame, tiles, extents);
    tiles.forEach((tile, i) => this.#paint_tile(tile, frame, extents[i], shared));
    this.shown = this.#paint_detail(frame, shared);
    paint_sparklines(this, frame);
    paint_bars(this, frame, this.shown);
    paint_readout(this, frame, this.shown);
    paint_colour_bar(this, frame, this.shown);
    paint_legend(this, frame, this.shown);
  }

  #find(layers: string[], head: Head | null, at: At): Found {
    const atlas = this.scope.packet("atlas", at);
    if (head === null) return { field: atlas ? atlas_mean(atlas, layers) : null, coarse: false, head: "mean" };
    const layer = layers[0] as string;
    const packet = this.scope.packet("layer", at, layer);
    if (packet) return { field: layer_head(packet, head), coarse: false, head };
    // The atlas has the mean over heads only: shown until the packet comes, and marked.
    return { field: atlas ? atlas_layer(atlas, layer) : null, coarse: true, head: "mean" };
  }

  /** Undefined where the tile's map is not here yet. */
  #resolve_tile(tile: TileTarget, frame: Frame): Extent | null | undefined {
    if (tile.layers.length === 0) return undefined;
    const { field, coarse, head } = this.#find(tile.layers, tile.head, frame.at);
    const there = field !== null && (tile.head === null || head === tile.head);
    flag(tile.root, "as-coarse", coarse && there);
    flag(tile.root, "as-stale", !there);
    return there ? this.#update_map(tile.map, field, frame) : undefined;
  }

  /** Brings `target.map` up to date; the extent only where it is asked for. */
  #update_map(target: MapCanvas, field: Field, frame: Frame): Extent | null {
    const columns = frame.columns.join();
    const contest = frame.columns.length === 0;
    if (target.field !== field || target.columns !== columns) {
      target.field = field;
      target.columns = columns;
      target.drawn = "";
      if (contest) target.winners = strongest(field, this.scope.facts.value.contenders, target.winners);
      else {
        target.map = token_map(field, frame.columns, target.map);
        target.extent = extent(target.map);
      }
    }
    return contest ? null : target.extent;
  }

  #shared_limit(frame: Frame, tiles: TileTarget[], extents: (Extent | null | undefined)[]): number {
    let hi = 0;
    extents.forEach((each, i) => {
      const over_steps = frame.scale === "run" ? this.#run_limit(frame, tiles[i] as TileTarget) : null;
      hi = Math.max(hi, over_steps ?? each?.hi ?? 0);
    });
    return hi;
  }

  /** The largest value over all steps; where several tokens or layers are joined, a bound on it. */
  #run_limit({ at, columns }: Frame, tile: TileTarget): number | null {
    let sum = 0;
    for (const layer of tile.layers) {
      const section = this.scope.packet("range", at, layer)?.get("max");
      if (!section) return null;
      const [rows, tokens] = section.shape as [number, number];
      const row = tile.head === null || tile.head === "mean" ? rows - 1 : tile.head;
      for (const column of columns) sum += values(section)[row * tokens + column] as number;
    }
    return tile.layers.length ? Math.min(1, sum / tile.layers.length) : null;
  }

  #draw(target: MapCanvas, frame: Frame, hi: number, constant: number | null): void {
    const { field, map, winners } = target;
    if (!field) return;
    const flat = constant !== null && frame.scale === "own";
    const drawn = [hi, frame.transform, frame.cmap, flat].join();
    if (target.drawn === drawn) return;
    target.drawn = drawn;
    target.paint(field.height, field.width, (pixels) => {
      if (frame.columns.length === 0 && winners) {
        colour_winners(
          winners,
          this.scope.facts.value.contenders.map((chip) => this.scope.colour_of(chip)),
          pixels,
        );
      } else if (flat) colour_flat(pixels);
      else if (map) colour(map, frame.table, hi, frame.transform, pixels);
    });
  }

  #paint_tile(tile: TileTarget, frame: Frame, range: Extent | null | undefined, shared: number | null): void {
    const { field, map, winners } = tile.map;
    place_cross(tile.cross, field ? frame.uv : null);
    if (!field || range === undefined) {
      write(tile.value, ""); // the old picture stays until the new one is here, but says no numbers
      return;
    }
    this.#draw(tile.map, frame, shared ?? range?.hi ?? 0, range?.constant ?? null);
    if (!frame.uv) {
      write(tile.value, "");
      return;
    }
    const [y, x] = cell_at(field, frame.uv[0], frame.uv[1]);
    const cell = y * field.width + x;
    if (frame.columns.length) write(tile.value, map ? probability(map[cell] as number) : "");
    else write(tile.value, this.scope.facts.value.contenders[winners?.[cell] ?? -1]?.text ?? "");
  }

  #paint_detail(frame: Frame, shared: number | null): Shown | null {
    const { detail, scope } = this;
    const { at, hover } = frame;
    if (!detail) return null;
    const all = scope.manifest.layers.filter((info) => info.kind === "cross").map((info) => info.layer);
    const layers = hover.tile?.layers ?? (at.level === "unet" ? all : [at.layer.layer]);
    const asked = hover.tile ? hover.tile.head : at.level === "unet" ? null : at.level === "layer" ? "mean" : at.head;
    const { field, coarse, head } = this.#find(layers, asked, at);
    flag(detail.root, "as-coarse", coarse && field !== null);
    flag(detail.root, "as-stale", field === null);
    const away = head !== (asked ?? "mean");
    flag(this.root, "as-waiting", field === null || away);
    write(detail.badge, field && away ? `head ${asked} is not here: mean of heads` : "coarse");
    const range = field ? this.#update_map(detail.map, field, frame) : null;
    const hi = shared ?? range?.hi ?? 0;
    if (field) this.#draw(detail.map, frame, hi, range?.constant ?? null);
    paint_picture(this, detail, frame, field);
    place_cross(detail.cross, frame.uv);
    return { field, coarse, layers, head, hi, extent: range, map: detail.map.map };
  }
}

export function place_cross(cross: HTMLElement, uv: readonly [number, number] | null): void {
  cross.style.visibility = uv ? "visible" : "hidden";
  if (uv) cross.style.transform = `translate(${100 * uv[0]}%,${100 * uv[1]}%)`;
}
