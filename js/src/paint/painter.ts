/**
 * Draws everything that follows the pointer, in one animation frame from one state, past the virtual DOM:
 * maps, crosshairs, bars, values, legend.
 */

import { cell_at, type Field } from "../maps/fields.ts";
import { probability } from "../maps/numbers.ts";
import { cells_in } from "../maps/region.ts";
import type { Limits } from "../maps/scaling.ts";
import type { Scope } from "../scope/scope.ts";
import type { At } from "../scope/selection.ts";
import type { Head, Kind } from "../wire/protocol.ts";
import { paint_colour_bar } from "./colour_bar.ts";
import { cell_value, draw } from "./drawing.ts";
import { find, type Query } from "./finding.ts";
import { type Frame, read_frame } from "./frame.ts";
import { paint_histogram } from "./histogram.ts";
import { paint_keys } from "./keys.ts";
import { paint_legend } from "./legend.ts";
import { type Covered, type Ends, limits_of, locked_limits, own_limits, shared_limits } from "./limits.ts";
import { paint_bars, paint_readout } from "./numbers.ts";
import { type Comparison, paint_panes, subject_of } from "./panes.ts";
import { paint_sparklines } from "./sparklines.ts";
import { paint_strip } from "./strip.ts";
import {
  type BarTarget,
  flag,
  type Hover,
  type PaneTarget,
  place,
  type Subject,
  type TileTarget,
  write,
} from "./targets.ts";
import { MapValues } from "./values.ts";

/** What the large map shows, for everything that speaks of it. */
export interface Shown {
  at: At;
  field: Field | null;
  coarse: boolean;
  layers: readonly string[];
  head: Head;
  query: Query | null;
  shares: boolean;
  values: MapValues;
  limits: Ends;
  /** Of every word that has a colour of its own; `limits` are those of the first. */
  each: readonly Ends[];
}

export class Painter {
  readonly tiles = new Map<string, TileTarget>();
  readonly panes = new Set<PaneTarget>();
  readonly bars = new Map<number, BarTarget>();
  readonly chip_bars = new Map<number, BarTarget>();
  readonly parts: {
    legend?: HTMLElement | null;
    colour_bar?: HTMLCanvasElement | null;
    ticks?: HTMLElement | null;
    histogram?: HTMLElement | null;
    readout_value?: HTMLElement | null;
    readout_where?: HTMLElement | null;
    total?: HTMLElement | null;
    scrub_spark?: SVGPathElement | null;
    keys?: HTMLElement | null;
    concentration?: HTMLElement | null;
    comparison?: HTMLElement | null;
  } = {};
  /** What else is drawn after the tiles of a frame. */
  readonly followers = new Set<(frame: Frame) => void>();
  readonly hover: Hover = { tile: null, columns: null, uv: null, region: null };
  /** What the colour bar goes over; it stands still while one of the limits is dragged along it. */
  axis: Limits = { lo: 0, hi: 1 };
  dragging = false;
  /** Shows B in the place of A. */
  blink = false;
  /** The last legend sentence and what it speaks of: the caption of a saved picture. */
  legend_text = "";
  shown: Shown | null = null;
  comparison: Comparison | null = null;
  /** Of A and B where no pane shows their difference. */
  readonly compared = { a: new MapValues(), b: new MapValues() };
  #main = new MapValues();
  #covered = [new MapValues(), new MapValues()];
  #row = new Float32Array(0);
  #scheduled = 0;
  #stopped = false;
  #painted = 0;

  constructor(
    readonly scope: Scope,
    readonly root: HTMLElement,
    readonly fail: (error: Error) => void,
    readonly done: () => void,
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
    this.done();
  }

  frame(): Frame {
    return read_frame(this.scope, this.hover);
  }

  #paint(): void {
    if (!this.scope.manifest.steps.length) return; // nothing to paint yet
    const frame = this.frame();
    const tiles = [...this.tiles.values()];
    const there = new Set(tiles.filter((tile) => this.#resolve_tile(tile, frame)));
    // Self-attention sums over a row to 1 and cross-attention too, but what one receives is no share of it.
    const shared: Partial<Record<Kind, Ends | null>> = {};
    for (const kind of new Set(tiles.map((tile) => tile.kind ?? frame.at.kind))) {
      const at = this.#at(frame, kind);
      const of_kind = tiles.filter((tile) => there.has(tile) && (tile.kind ?? frame.at.kind) === kind);
      // What is made of the heads says nothing new of how high they go; a sum of maxima would go higher.
      const each = of_kind.filter((tile) => shares_scale(tile, frame.at));
      const shown = each.map(({ layers, head, map }) => ({ at, layers, head, values: map.values }));
      shared[kind] = shared_limits(frame, [...shown, ...this.#large(frame, kind)]);
    }
    for (const tile of tiles) {
      const aside = frame.at.level === "unet" && tile.head !== null;
      const limits = aside ? null : shared[tile.kind ?? frame.at.kind];
      this.#paint_tile(tile, frame, there.has(tile), limits ?? null);
    }
    this.shown = this.#show(frame, shared[frame.at.kind] ?? null);
    this.comparison = paint_panes(this, frame, shared[this.shown.at.kind] ?? null);
    flag(this.root, "as-pointed", frame.uv !== null);
    flag(this.root, "as-waiting", !this.shown.field || this.shown.coarse);
    flag(this.root, "as-loading", this.scope.transport.slow);
    paint_sparklines(this, frame);
    paint_bars(this, frame, this.shown);
    paint_keys(this, frame, this.shown);
    paint_strip(this, frame);
    paint_readout(this, frame, this.shown);
    paint_histogram(this, frame, this.shown);
    paint_colour_bar(this, frame, this.shown);
    paint_legend(this, frame, this.shown);
    for (const follow of this.followers) follow(frame);
  }

  /** Where A is, seen as one kind of attention. */
  #at(frame: Frame, kind: Kind): At {
    return kind === frame.at.kind ? frame.at : this.scope.at_of[kind].peek();
  }

  /** A and B are among the maps that share a scale, in whatever way they are shown. */
  #large(frame: Frame, kind: Kind): Covered[] {
    if (kind !== frame.at.kind || (frame.scale === "own" && !frame.locked)) return [];
    return [frame.at, frame.other].flatMap((at, i) => {
      const values = this.#covered[i] as MapValues;
      const subject = at && subject_of(frame, at);
      const field = at && find(frame, at, subject as Subject).field;
      if (!field) return [];
      values.update(field, at, frame);
      return [{ ...(subject as Subject), at, values }];
    });
  }

  /** Whether the tile's map is here. */
  #resolve_tile(tile: TileTarget, frame: Frame): boolean {
    if (tile.layers.length === 0) return false;
    const at = this.#at(frame, tile.kind ?? frame.at.kind);
    const { field, coarse, head, shares } = find(frame, at, tile);
    tile.shares = shares;
    const there = field !== null && (tile.head === null || String(head) === String(tile.head));
    flag(tile.root, "as-coarse", coarse && there);
    flag(tile.root, "as-stale", !there);
    if (there) tile.map.values.update(field, at, frame);
    return there;
  }

  #paint_tile(tile: TileTarget, frame: Frame, there: boolean, shared: Ends | null): void {
    const { values } = tile.map;
    place(tile.cross, values.field ? frame.uv : null);
    if (!there || !values.field) {
      write(tile.value, ""); // the old picture stays until the new one is here, but says no numbers
      return;
    }
    const at = this.#at(frame, tile.kind ?? frame.at.kind);
    draw(tile.map, frame, at, shared ?? locked_limits(frame, at, tile, values));
    flag(tile.map.canvas, "as-smooth", frame.smooth);
    const boxed = frame.region && !frame.hover.uv && at.kind === "cross" && values.map;
    if (boxed && frame.region && !tile.root.classList.contains("as-coarse")) {
      const cells = cells_in(frame.region, values.height, values.width);
      const total = cells.reduce((sum, cell) => sum + (cell_value(frame, at, values, cell) as number), 0);
      write(tile.value, probability(total / cells.length));
      return;
    }
    if (!frame.uv || tile.root.classList.contains("as-coarse")) {
      write(tile.value, "");
      return;
    }
    const [y, x] = cell_at(values.field, frame.uv[0], frame.uv[1]);
    const value = cell_value(frame, at, values, y * values.width + x);
    write(tile.value, typeof value === "string" ? value : tile.shares ? `${value.toFixed(1)}×` : probability(value));
  }

  #show(frame: Frame, shared: Ends | null): Shown {
    const { tile } = frame.hover;
    const at = this.#at(frame, tile?.kind ?? frame.at.kind);
    const subject = tile ?? subject_of(frame, at);
    const { field, coarse, head, query, shares } = find(frame, at, subject);
    const values = this.#main;
    if (field) values.update(field, at, frame);
    const each = limits_of(frame, values, shared ?? locked_limits(frame, at, subject, values));
    const limits = each[0] ?? own_limits(frame, values);
    return { at, field, coarse, layers: subject.layers, head, query, shares, values, limits, each };
  }
}

/** Beside the whole network stand single heads that follow a word: what they reach is none of its layers. */
function shares_scale({ head }: TileTarget, { level }: At): boolean {
  if (level === "unet") return head === null;
  return level === "block" || (head !== "mean" && head !== "max");
}
