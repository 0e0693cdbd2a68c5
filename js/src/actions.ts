/** What a click or a key does to the selection. */

import { COLOUR_MAPS } from "./maps/luts.ts";
import { subject_of } from "./paint/panes.ts";
import { dimensions, first_change } from "./scope/comparing.ts";
import { traits_of } from "./scope/glimpse.ts";
import { blocks_of, type Site } from "./scope/layout.ts";
import { pin_of } from "./scope/pins.ts";
import { head_name, heads_in } from "./scope/selection.ts";
import type { Compare, Traits } from "./scope/state.ts";
import { type Chip, is_chosen, MOST_HUES, toggle, token_of } from "./scope/words.ts";
import type { View } from "./view.tsx";
import type { Blend, Head, Kind, Region, Scale, Transform, UV } from "./wire/protocol.ts";

export const SCALES: readonly Exclude<Scale, "auto">[] = ["own", "shared", "run", "fixed"];
export const TRANSFORMS: readonly Transform[] = ["linear", "sqrt", "log", "rank", "uniform"];
export const BLENDS: readonly Blend[] = ["colour", "mask", "contour"];
const TRAIL = 5;

export function open_site(view: View, site: Site): void {
  const [layer] = site.layers;
  if (layer === undefined) return;
  view.scope.state.set({ level: site.layers.length > 1 ? "block" : "layer", layer });
}

export function open_layer(view: View, layer: string, kind: Kind): void {
  view.scope.state.set({ level: "layer", layer, kind });
}

export function open_head(view: View, head: Head): void {
  view.scope.state.set({ level: "head", layer: view.scope.at.peek().layer.layer, head });
}

/** Adds a head to those whose mean is shown, or takes it away. */
export function combine_head(view: View, head: number): void {
  const { layer, head: now } = view.scope.at.peek();
  const some = new Set(typeof now === "string" ? [] : heads_in(now, layer));
  if (!some.delete(head)) some.add(head);
  const next = [...some].sort((a, b) => a - b);
  view.scope.state.set({ head: next.length > 1 ? next : (next[0] ?? "mean") });
  view.say(next.length ? head_name(next.length > 1 ? next : (next[0] as number)) : "mean of heads");
}

export function set_kind(view: View, kind: Kind): void {
  if (!view.scope.facts.peek().kinds.includes(kind)) return;
  view.scope.state.set({ kind });
}

/** Compares with something else at once; what it is to be is asked then. */
export function start_compare(view: View): void {
  const { scope } = view;
  const [name] = scope.other.peek() ? (["capture"] as const) : dimensions(scope);
  if (name) compare(view, first_change(scope, name));
}

/** Why A and B cannot change places; empty where they can. */
export function unswappable({ scope }: View): string {
  const { capture, layer, head } = scope.state.is.compare.value ?? {};
  if (capture !== undefined) return "two runs cannot be exchanged: the words are those of the first";
  const whole = scope.at.value.level === "unet" && (layer !== undefined || head !== undefined);
  return whole ? "a mean over all layers cannot be B: open a layer first" : "";
}

/** A and B change places. */
export function swap(view: View): void {
  const { is } = view.scope.state;
  const changed = is.compare.peek();
  if (!changed || unswappable(view)) return;
  const names = Object.keys(changed) as Exclude<keyof Compare, "capture">[];
  const was: Compare = Object.fromEntries(names.map((name) => [name, is[name].peek()]));
  if (changed.layer !== undefined) was.layer = view.scope.at.peek().layer.layer;
  // B is one head's map at any level: A has to be as deep to show it.
  if (changed.head !== undefined) {
    const frame = view.painter.frame();
    was.head = subject_of(frame, frame.at).head ?? "mean";
    view.scope.state.set({ level: "head" });
  }
  view.scope.state.set({ ...changed, compare: was } as Partial<Traits>);
  view.say("A and B exchanged");
}

/** B is A with these changed. */
export function compare(view: View, changes: Compare | null): void {
  const { state } = view.scope;
  state.set({ compare: changes && { ...changes } });
}

export function up(view: View): boolean {
  const { level, layer } = view.scope.at.peek();
  if (level === "unet") return false;
  // A block has a level of its own where there are several.
  const stacked = level === "layer" && blocks_of(view.scope.facts.peek().manifest, layer).length > 1;
  view.scope.state.set({ level: level === "head" ? "layer" : stacked ? "block" : "unet" });
  return true;
}

/** Esc: lets go of the point and of the word, then goes up, then lets go of the keyboard. */
export function let_go(view: View): void {
  const { state } = view.scope;
  if (view.help.peek()) view.help.value = false;
  else if (state.is.region.peek()) set_region(view, null);
  else if (view.painter.frame().uv) unpin_pixel(view);
  else if (state.is.compare.peek()) compare(view, null);
  else if (state.is.token.peek() !== null) choose(view, null);
  else if (!up(view)) (view.root.querySelector<HTMLElement>(":focus") ?? view.root).blur();
}

export function choose(view: View, chip: Chip | null, add = false): void {
  const { state } = view.scope;
  const now = state.is.token.peek();
  const alone = chip && is_chosen(now, chip) && [now].flat().length === chip.positions.length;
  const token = chip === null || (alone && !add) ? null : add ? toggle(now, chip) : token_of(chip);
  const { words } = view.scope.at.peek();
  const more = add && chip !== null && !is_chosen(now, chip);
  view.refused.value = more && state.is.hues.peek() && words.length >= MOST_HUES;
  if (view.refused.peek()) {
    view.say(too_many(chip?.text));
    return;
  }
  state.set({ token });
  view.say(token === null ? "no token: strongest word of each pixel" : `token ${chip?.text ?? ""} pinned`);
}

/** A click on a word: it alone, one more with shift, B with alt. */
export function pick_word(view: View, chip: Chip, { altKey, shiftKey }: MouseEvent): void {
  if (altKey) compare(view, { token: token_of(chip) });
  else choose(view, chip, shiftKey);
}

export const too_many = (word = "another"): string =>
  `at most ${MOST_HUES} words have a colour each: ‘${word}’ can be added to their sum`;

export function pin_pixel(view: View, uv: readonly [number, number]): void {
  const { state } = view.scope;
  const now = state.is.uv.peek();
  // A second click on the pinned point takes the pin away.
  if (now && Math.hypot(now[0] - uv[0], now[1] - uv[1]) < 0.02) unpin_pixel(view);
  else {
    if (now && view.scope.at.peek().kind === "self") remember(view, now);
    state.set({ uv: [uv[0], uv[1]], region: null });
    view.say(`pinned ${(100 * uv[0]).toFixed(0)} % from the left, ${(100 * uv[1]).toFixed(0)} % from the top`);
  }
}

function remember(view: View, uv: UV): void {
  const others = view.trail.peek().filter((each) => each.join() !== uv.join());
  view.trail.value = [uv, ...others].slice(0, TRAIL);
}

export function set_region(view: View, region: Region | null): void {
  view.scope.state.set({ region: region && ([...region] as unknown as Region) });
  view.say(region ? "box chosen: numbers are means over it" : "no box");
}

function unpin_pixel(view: View): void {
  const pinned = view.scope.state.is.uv.peek();
  view.painter.hover.uv = null;
  view.painter.schedule();
  view.scope.state.set({ uv: null });
  if (pinned) view.say("pixel unpinned");
}

/** Keeps the view on screen as a card in the tray. */
export function pin_view(view: View): void {
  const { at, state } = view.scope;
  const pins = [...state.is.pins.peek(), pin_of(traits_of(state), at.peek().layer.layer)];
  state.set({ pins });
  view.tray.value = true;
  view.say(`view pinned, ${pins.length} in all`);
}

export function step_token(view: View, by: number): void {
  const { facts, state } = view.scope;
  const { chips } = facts.value;
  const now = state.is.token.peek();
  const at = chips.findIndex((chip) => is_chosen(now, chip));
  const next = at < 0 ? (by > 0 ? 0 : chips.length - 1) : (at + by + chips.length) % chips.length;
  const chip = chips[next];
  if (chip && !is_chosen(now, chip)) choose(view, chip);
}

export function step_layer(view: View, by: number): void {
  const at = view.scope.at.peek();
  const layers = view.scope.facts.peek().layers[at.kind];
  // From the whole network one comes to the layer last looked at, or the first.
  const from = layers.indexOf(at.layer) + (at.level === "unet" && by > 0 ? 0 : by);
  const next = layers[Math.min(layers.length - 1, Math.max(0, from))];
  if (!next) return;
  view.scope.state.set({ layer: next.layer, level: at.level === "unet" ? "layer" : at.level });
}

export function step_head(view: View, by: number): void {
  const at = view.scope.at.peek();
  if (at.level === "unet") return;
  const now = at.level === "layer" || typeof at.head !== "number" ? -1 : at.head;
  const next = Math.min(at.layer.single_heads - 1, Math.max(-1, now + by));
  open_head(view, next < 0 ? "mean" : next);
}

const after = <T>(list: readonly T[], now: T): T => list[(list.indexOf(now) + 1) % list.length] as T;

/** A fixed scale begins with the limits that are in force. */
export function set_scale(view: View, scale: Scale): void {
  const { state } = view.scope;
  const { shown } = view.painter;
  state.set({ scale });
  if (scale !== "fixed" || state.is.limits.peek() || !shown) return;
  const ranked = state.is.transform.peek() === "rank";
  const { lo, hi } = ranked ? { lo: 0, hi: shown.values.extent?.hi ?? 0 } : shown.limits;
  state.set({ limits: hi > lo ? [lo, hi] : [lo, lo + 1] });
}

export function next_scale(view: View): void {
  set_scale(view, after(SCALES, view.painter.frame().scale));
}

export function next_transform(view: View): void {
  const { state } = view.scope;
  state.set({ transform: after(TRANSFORMS, state.is.transform.peek()) });
}

export function next_cmap(view: View): void {
  const { state } = view.scope;
  state.set({ cmap: after(COLOUR_MAPS, state.is.cmap.peek()) });
}
