/** Keys, while the focus is inside; whatever we use, the notebook around us never sees. */

import {
  choose,
  let_go,
  next_cmap,
  next_scale,
  next_transform,
  pin_view,
  step_head,
  step_layer,
  step_token,
  up,
} from "./actions.ts";
import type { View } from "./view.tsx";

export const KEYS: readonly (readonly [string, string])[] = [
  ["← ↑ → ↓", "move among the tiles"],
  ["Enter / Backspace", "open / go up"],
  ["Esc", "unpin, then up, then leave"],
  ["j k", "next, previous layer"],
  ["h l", "previous, next head"],
  ["[ ] \\", "previous, next, no token"],
  ["w /", "pieces of words, find a word"],
  [", .", "previous, next step"],
  ["Space", "play, pause"],
  ["n N c", "scale, transform, colours"],
  ["p e", "pin this view, export"],
  ["?", "this list"],
];

const ACTIONS: Record<string, (view: View) => void> = {
  Escape: let_go,
  Backspace: (view) => void up(view),
  j: (view) => step_layer(view, 1),
  k: (view) => step_layer(view, -1),
  h: (view) => step_head(view, -1),
  l: (view) => step_head(view, 1),
  "[": (view) => step_token(view, -1),
  "]": (view) => step_token(view, 1),
  "\\": (view) => choose(view, null),
  ",": (view) => view.player.move(-1),
  ".": (view) => view.player.move(1),
  " ": (view) => view.player.toggle(),
  w: (view) => void (view.pieces.value = !view.pieces.peek()),
  "/": find_word,
  n: next_scale,
  N: next_transform,
  c: next_cmap,
  p: pin_view,
  e: (view) => void (view.leaving.value = true),
  "?": (view) => void (view.help.value = !view.help.peek()),
};

export const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function on_key(view: View, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return;
  event.stopPropagation();
  const target = event.target as HTMLElement;
  const arrow = ARROWS[event.key];
  if (arrow) {
    if (target.matches("input, select")) return; // a slider's own keys
    if (move_focus(view.root, target, arrow)) event.preventDefault();
    return;
  }
  // Space and Enter on a button press it; in a select, letters choose.
  if (target.matches("select") && event.key !== "Escape") return;
  if ((event.key === " " || event.key === "Enter") && target.matches("button, [role=button], [type=checkbox]")) return;
  if (event.key === "Enter" && target.matches(".as-tile")) {
    target.click();
    event.preventDefault();
    return;
  }
  const action = ACTIONS[event.key];
  if (!action) return;
  event.preventDefault();
  action(view);
}

/** The box to type in is there from now on, at the latest. */
function find_word(view: View): void {
  view.letters.value ??= "";
  requestAnimationFrame(() => view.root.querySelector<HTMLElement>(".as-find")?.focus());
}

/** To the nearest tile in that direction, as it lies on the page. */
function move_focus(root: HTMLElement, from: HTMLElement, [dx, dy]: readonly [number, number]): boolean {
  const tiles = [...root.querySelectorAll<HTMLElement>(".as-tile")];
  const here = from.closest<HTMLElement>(".as-tile");
  if (!here) {
    const first = tiles.find((tile) => tile.tabIndex === 0) ?? tiles[0];
    first?.focus();
    return first !== undefined;
  }
  const centre = (tile: HTMLElement) => {
    const box = tile.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2] as const;
  };
  const [x, y] = centre(here);
  let best: HTMLElement | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const tile of tiles) {
    const [tx, ty] = centre(tile);
    const along = (tx - x) * dx + (ty - y) * dy;
    const aside = Math.abs((tx - x) * dy) + Math.abs((ty - y) * dx);
    const cost = along + 3 * aside;
    if (tile !== here && along > 1 && cost < least) {
      best = tile;
      least = cost;
    }
  }
  best?.focus();
  return best !== undefined;
}
