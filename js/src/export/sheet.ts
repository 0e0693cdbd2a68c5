/** What leaves: one description, from which every writer draws, so that they agree. */

import { diverging } from "../maps/diverging.ts";
import { css, lut, OTHER_RGB } from "../maps/luts.ts";
import { figure } from "../maps/numbers.ts";
import { value_at } from "../maps/scaling.ts";
import { blend_of } from "../paint/drawing.ts";
import { type Frame, words_at } from "../paint/frame.ts";
import { said as said_of } from "../paint/histogram.ts";
import { own_limits } from "../paint/limits.ts";
import type { Painter } from "../paint/painter.ts";
import type { PaneTarget, TileTarget } from "../paint/targets.ts";
import { hues_of, word_name } from "../scope/facts.ts";
import { glimpse, traits_of } from "../scope/glimpse.ts";
import { restored } from "../scope/pins.ts";
import type { Scope } from "../scope/scope.ts";
import type { Traits } from "../scope/state.ts";
import type { View } from "../view.tsx";
import type { Region, UV } from "../wire/protocol.ts";
import { paint_apart, roles_of, type Small, small_maps } from "./offscreen.ts";

export type What = "picture" | "tiles" | "comparison" | "pins";

/** How to read the colours: a bar with numbers, or a colour for each word. */
export interface Guide {
  table: Uint32Array | null;
  ticks: readonly string[];
  swatches: readonly { text: string; colour: string }[];
}

export interface Panel {
  title: string;
  base: HTMLCanvasElement | null;
  /** Maps over the picture, each from one place to another of its breadth. */
  maps: readonly { canvas: HTMLCanvasElement; from: number; to: number }[];
  opacity: number;
  smooth: boolean;
  /** Around half of the mass: a path in the unit square. */
  contour: string;
  cross: UV | null;
  region: Region | null;
  /** Below this panel and as many after it as it speaks of. */
  guide: Guide | null;
  span: number;
}

export interface Sheet {
  title: string;
  panels: readonly Panel[];
  /** Width over height of every panel. */
  ratio: number;
  small: boolean;
  guide: Guide | null;
  captions: readonly string[];
}

/** One line without what XML cannot hold and what no reader sees. */
export const clean = (text: string): string =>
  text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, "\ufffd");

/** The selection on screen, drawn apart from it. */
export function drawn_apart(view: View, what: What = "picture"): Painter {
  const { scope, painter } = view;
  const seen = glimpse(scope, traits_of(scope.state));
  const roles = what === "comparison" ? roles_of(seen) : [...painter.panes].map(({ role }) => role);
  return paint_apart(seen, roles, small_on_screen(painter));
}

/** As they stand on the page; heads that are ranked below the layers are no layers. */
function small_on_screen({ tiles }: Painter): Small[] {
  const after = (a: TileTarget, b: TileTarget) =>
    a.root.compareDocumentPosition(b.root) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
  return [...tiles.values()]
    .filter(({ layers, root }) => layers.length && !root.closest(".as-best"))
    .sort(after)
    .map(({ name, layers, head, kind }) => ({ name, layers, head, ...(kind && { kind }) }));
}

export function sheet_of(view: View, what: What): Sheet {
  const { manifest } = view.scope;
  const title = clean(manifest.prompt === null ? manifest.title : `“${manifest.prompt}”`);
  const common = { title, ratio: manifest.width / manifest.height, small: false, guide: null };
  if (what === "pins") return { ...common, ...pinned(view) };
  const painter = drawn_apart(view, what);
  if (what === "tiles") return { ...common, ...tiled(painter) };
  const swipe = [...view.painter.panes].find(({ role }) => role === "swipe")?.root.style.getPropertyValue("--as-swipe");
  return { ...common, panels: large(painter, Number.parseFloat(swipe ?? "50") / 100), captions: said(painter) };
}

/** With `apart`, panels may be torn from each other by the end of a row: each has a guide of its own. */
function large(painter: Painter, swipe = 0.5, apart = false): Panel[] {
  const frame = painter.frame();
  const own = own_scale(frame);
  const panes = [...painter.panes];
  const maps = panes.filter(({ role }) => role !== "difference");
  return panes.map((pane) => {
    if (pane.role === "difference") return panel_of(pane, frame, swipe, difference_guide(painter, frame), 1);
    const first = pane === maps[0];
    const limits = own ? own_limits(frame, pane.map.values) : undefined;
    const guide = first || own || apart ? guide_of(painter, frame, limits) : null;
    return panel_of(pane, frame, swipe, guide, own || apart ? 1 : maps.length);
  });
}

const own_scale = ({ scale, limits, transform }: Frame): boolean =>
  transform !== "rank" && (scale === "own" || (scale === "fixed" && !limits));

function panel_of(pane: PaneTarget, frame: Frame, swipe: number, guide: Guide | null, span: number): Panel {
  const { role, root, base, map, second, contour, title, badge } = pane;
  const is = (flag: string) => root.classList.contains(`as-${flag}`);
  const gone = is("stale");
  const both = role === "swipe" && second.values.field;
  const text = title.textContent ?? "";
  const note = gone ? "not here yet" : is("coarse") || role === "difference" ? badge.textContent : "";
  return {
    title: clean(text) + (note ? ` (${note})` : ""),
    base: role === "difference" || is("bare") ? null : base,
    maps: gone
      ? []
      : [
          { canvas: map.canvas, from: 0, to: both ? swipe : 1 },
          ...(both ? [{ canvas: second.canvas, from: swipe, to: 1 }] : []),
        ],
    opacity: Number(map.canvas.style.opacity || 1),
    smooth: frame.smooth,
    contour: contour.getAttribute("d") ?? "",
    cross: frame.pinned,
    region: frame.region,
    guide,
    span,
  };
}

function tiled(painter: Painter): Pick<Sheet, "panels" | "small" | "guide" | "captions"> {
  const frame = painter.frame();
  const guide = guide_of(painter, frame);
  const bar = guide.table !== null && own_scale(frame);
  const panels = [...painter.tiles.values()].map(({ name, map, root }): Panel => {
    const gone = !map.values.field;
    const coarse = root.classList.contains("as-coarse") ? " (coarse)" : "";
    return {
      title: clean(name) + (gone ? " (not here yet)" : coarse),
      base: null,
      maps: gone ? [] : [{ canvas: map.canvas, from: 0, to: 1 }],
      opacity: 1,
      smooth: frame.smooth,
      contour: "",
      cross: frame.pinned,
      region: frame.region,
      guide: null,
      span: 1,
    };
  });
  const what = frame.at.level === "layer" || frame.at.level === "head" ? "The heads" : "The layers";
  const scale = bar ? ", each on its own scale; the numbers are those of the large map" : "";
  return {
    panels,
    small: true,
    guide: bar ? { ...guide, ticks: ["low", "each map on its own scale", "high"] } : guide,
    captions: [`${what}${scale}: ${clean(painter.legend_text)}`],
  };
}

/** Every pin with the guide to its own colours; the sentences below are numbered. */
function pinned({ scope }: View): Pick<Sheet, "panels" | "captions"> {
  const each = scope.state.is.pins.peek().map((pin, i) => {
    const painter = pin_painter(scope, restored(pin));
    const panels = large(painter, 0.5, true).map((panel) => ({ ...panel, title: `${i + 1} · ${panel.title}` }));
    const note = clean(pin.note);
    return {
      panels,
      captions: said(painter).map((text, k) => (k ? text : `${i + 1}. ${note && `${note} · `}${text}`)),
    };
  });
  return { panels: each.flatMap(({ panels }) => panels), captions: each.flatMap(({ captions }) => captions) };
}

export const first_panel = (scope: Scope, traits: Partial<Traits>): Panel =>
  large(pin_painter(scope, traits))[0] as Panel;

function pin_painter(scope: Scope, traits: Partial<Traits>): Painter {
  const seen = glimpse(scope, { ...traits_of(scope.state), ...traits });
  return paint_apart(seen, roles_of(seen), small_maps(seen));
}

/** The legend sentence, and the numbers of a comparison. */
export function described({ legend_text, comparison }: Painter): string {
  if (!comparison) return clean(legend_text);
  const { correlation, jensen_shannon, shift } = comparison;
  const numbers = `Correlation ${correlation.toFixed(2)}, Jensen-Shannon divergence ${jensen_shannon.toFixed(3)} bits, centroid moved ${shift.toFixed(1)} px.`;
  return clean(`${legend_text} ${numbers}`);
}

/** The same, and how the picture shows it. */
function said(painter: Painter): string[] {
  const frame = painter.frame();
  const { overlay, at, pinned } = frame;
  const blend = painter.shown ? blend_of(frame, painter.shown.at, painter.shown.values) : "colour";
  const out = [described(painter)];
  const bare = [...painter.panes].every(({ root }) => root.classList.contains("as-bare"));
  if (blend === "contour") out.push("The line encloses the cells that hold half of the map’s mass.");
  else if (blend === "mask") out.push("The picture is darkened where the value is low.");
  else if (overlay < 1 && !bare) out.push(`The map lies over the picture with ${Math.round(100 * overlay)}% opacity.`);
  const where = painter.parts.readout_where?.textContent;
  if (at.kind === "cross" && pinned) out.push(`The cross is at ${where}.`);
  return [out.join(" ")];
}

function guide_of({ shown, scope }: Painter, frame: Frame, limits = shown?.limits): Guide {
  const none: Guide = { table: null, ticks: [], swatches: [] };
  if (!shown?.field || !limits) return none;
  const blend = blend_of(frame, shown.at, shown.values);
  if (blend === "contour") return none;
  const facts = scope.facts_of(shown.at);
  const { maps } = shown.values;
  if (maps.length === 1) {
    const table = blend === "mask" ? lut("gray") : frame.table;
    return {
      ...none,
      table,
      ticks: [0, 0.5, 1].map((at) => said_of(frame, shown, value_at(at, limits, frame.transform))),
    };
  }
  if (maps.length) {
    const words = words_at(frame, shown.at);
    const colours = hues_of(facts, words);
    return {
      ...none,
      swatches: words.map((word, i) => ({ text: clean(word_name(facts, word)), colour: css(colours[i] ?? OTHER_RGB) })),
    };
  }
  const coloured = facts.contenders.flatMap((chip) => {
    const rgb = facts.colours.get(chip);
    return rgb ? [{ text: clean(chip.text), colour: css(rgb) }] : [];
  });
  const others = coloured.length < facts.contenders.length ? [{ text: "other", colour: css(OTHER_RGB) }] : [];
  return { ...none, swatches: [...coloured, ...others] };
}

function difference_guide({ comparison }: Painter, frame: Frame): Guide | null {
  if (!comparison) return null;
  const ticks = [-1, 0, 1].map((at) => figure(at * comparison.limit).replace("-", "−"));
  return { table: diverging(frame.diverging), ticks, swatches: [] };
}
