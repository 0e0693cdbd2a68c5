/** What single keys do beyond what a click does. Where one has nothing to act on, it says so. */

import { BLENDS, open_head, set_kind, start_compare, swap, unswappable } from "./actions.ts";
import type { View } from "./view.tsx";
import type { Blend } from "./wire/protocol.ts";

export function toggle_kind(view: View): void {
  const other = view.scope.at.peek().kind === "cross" ? "self" : "cross";
  if (view.scope.facts.peek().kinds.includes(other)) set_kind(view, other);
  else view.tell(`${other}-attention was not recorded`);
}

export function toggle_direction(view: View): void {
  const { kind, direction } = view.scope.at.peek();
  if (kind === "cross") {
    view.tell("only self-attention has rows and columns");
    return;
  }
  view.scope.state.set({ direction: direction === "row" ? "column" : "row" });
  view.tell(direction === "row" ? "column: what attends to the pixel" : "row: where the pixel attends to");
}

/** The head that was looked at alone last, for each view. */
const ALONE = new WeakMap<View, number>();

/** Mean, maximum, one head, and round again. */
export function next_heads(view: View): void {
  const { level, layer, head } = view.scope.at.peek();
  if (level === "unet" || level === "block") view.tell("all layers: means over heads only; open a layer first");
  else if (!layer.single_heads) view.tell("of this layer only the mean over heads was kept");
  else {
    if (typeof head === "number") ALONE.set(view, head);
    const one = Math.min(ALONE.get(view) ?? 0, layer.single_heads - 1);
    open_head(view, head === "mean" ? "max" : head === "max" ? one : "mean");
  }
}

/** The block around the layer, or back from it. */
export function open_block(view: View): void {
  const { level, layer } = view.scope.at.peek();
  if (layer) view.scope.state.set(level === "block" ? { level: "layer" } : { level: "block", layer: layer.layer });
}

export function set_overlay(view: View, opacity: number): void {
  const overlay = Math.round(opacity * 20) / 20;
  view.scope.state.set({ overlay });
  view.say(`opacity ${Math.round(100 * overlay)} %`);
}

export function next_blend(view: View): void {
  const { blend } = view.scope.state.is;
  const next = BLENDS[(BLENDS.indexOf(blend.peek()) + 1) % BLENDS.length] as Blend;
  view.scope.state.set({ blend: next });
  view.tell(next === "colour" ? "colours over the picture" : next === "mask" ? "dark where low" : "half of the mass");
}

export function toggle_smooth(view: View): void {
  const { smooth } = view.scope.state.is;
  view.scope.state.set({ smooth: !smooth.peek() });
  view.tell(smooth.peek() ? "smooth" : "cells as they are");
}

/** Whether something is compared; else says how to begin. */
function comparing(view: View): boolean {
  const there = view.scope.other_at.peek() !== null;
  if (!there) view.tell("nothing is compared: alt-click a step, head, layer or word, or ⇄");
  return there;
}

export function toggle_difference(view: View): void {
  const { compare_as, compare } = view.scope.state.is;
  if (!compare.peek()) start_compare(view);
  if (comparing(view)) view.scope.state.set({ compare_as: compare_as.peek() === "difference" ? "side" : "difference" });
}

export function swap_or_say(view: View): void {
  if (!comparing(view)) return;
  const why = unswappable(view);
  if (why) view.tell(why);
  else swap(view);
}

/** Shows B where A is, for as long as the key is held. */
export function blink(view: View, on: boolean): void {
  const { painter, scope } = view;
  const { compare_as } = scope.state.is;
  if (on && !comparing(view)) return;
  // Only a pane of its own can blink.
  if (on && ["swipe", "difference"].includes(compare_as.peek())) scope.state.set({ compare_as: "blink" });
  if (painter.blink === on) return;
  painter.blink = on;
  painter.schedule();
}

export async function full_screen(view: View): Promise<void> {
  const { root } = view;
  try {
    if (root.matches(":fullscreen")) await document.exitFullscreen();
    else await root.requestFullscreen();
  } catch (error) {
    view.tell(`the page does not allow full screen: ${(error as Error).message}`);
  }
}
