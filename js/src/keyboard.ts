/** Keys, while the focus is inside: one table, of which the help is made. What is typed here the notebook never sees. */

import {
  choose,
  let_go,
  next_cmap,
  next_scale,
  next_transform,
  step_head,
  step_layer,
  step_token,
  up,
} from "./actions.ts";
import {
  blink,
  full_screen,
  next_blend,
  next_heads,
  open_block,
  set_overlay,
  swap_or_say,
  toggle_difference,
  toggle_direction,
  toggle_kind,
  toggle_smooth,
} from "./commands.ts";
import { ARROWS, move_focus, SCROLLING } from "./roving.ts";
import type { View } from "./view.tsx";

type Run = (view: View) => void;

export interface Key {
  /** As the help writes them. */
  named: string;
  does: string;
  /** By `KeyboardEvent.key`. */
  run: Record<string, Run>;
  /** The key stands for this button or field: it is there while that is. */
  part?: string;
}

const step =
  (by: number): Run =>
  (view) =>
    view.player.move(by);
const far = 1e6; // past either end

/** A key that presses a button of the page, or goes into a field of it. */
function for_part(key: string, does: string, part: string): Key {
  const run = ({ root }: View) => {
    const element = root.querySelector<HTMLElement>(part);
    if (element?.matches("input")) element.focus();
    else element?.click();
  };
  return { named: key, does, part, run: { [key]: run } };
}

/** Whoever adds a part adds its keys here: nothing else names them. The last group is there before anything else is. */
export const KEYS: readonly (readonly [group: string, keys: readonly Key[]])[] = [
  [
    "mouse",
    [
      { named: "click", does: "a word, pixel or tile: pin, or open", run: {} },
      { named: "shift-click", does: "words or heads together", run: {} },
      { named: "alt-click", does: "compare with this word, head, layer, step", run: {} },
      { named: "drag", does: "a box on the picture: means over it", run: {} },
    ],
  ],
  [
    "place",
    [
      { named: "← ↑ → ↓", does: "among tiles, words or pixels", run: {} },
      { named: "Enter", does: "open; pin the pixel", run: {} },
      { named: "Backspace", does: "up a level", run: { Backspace: (view) => void up(view) } },
      { named: "Esc", does: "let go of the pin, go up, leave", run: { Escape: let_go } },
      {
        named: "j k",
        does: "next, previous layer",
        run: { j: (view) => step_layer(view, 1), k: (view) => step_layer(view, -1) },
      },
      {
        named: "h l",
        does: "previous, next head",
        run: { h: (view) => step_head(view, -1), l: (view) => step_head(view, 1) },
      },
      { named: "m", does: "mean, max, one head", run: { m: next_heads } },
      { named: "o", does: "the block around the layer", run: { o: open_block } },
      { named: "t", does: "cross or self", run: { t: toggle_kind } },
      { named: "r", does: "self: row or column", run: { r: toggle_direction } },
    ],
  ],
  [
    "words",
    [
      {
        named: "[ ] \\",
        does: "previous, next, no word",
        run: {
          "[": (view) => step_token(view, -1),
          "]": (view) => step_token(view, 1),
          "\\": (view) => choose(view, null),
        },
      },
      {
        named: "/ w",
        does: "find a word, pieces of words",
        run: { "/": find_word, w: (view) => void (view.pieces.value = !view.pieces.peek()) },
      },
    ],
  ],
  [
    "steps",
    [
      { named: ", .", does: "previous, next step", run: { ",": step(-1), ".": step(1) } },
      { named: "< >", does: "five steps", run: { "<": step(-5), ">": step(5) } },
      { named: "Home End", does: "first, last step", run: { Home: step(-far), End: step(far) } },
      { named: "Space", does: "play, pause", run: { " ": (view) => view.player.toggle() } },
    ],
  ],
  [
    "colours",
    [
      { named: "n N c", does: "scale, transform, colours", run: { n: next_scale, N: next_transform, c: next_cmap } },
      { named: "v", does: "colour, mask, contour", run: { v: next_blend } },
      {
        named: "0 … 9",
        does: "opacity of the map",
        run: Object.fromEntries(
          Array.from({ length: 10 }, (_, digit) => [digit, (view) => set_overlay(view, digit / 9)]),
        ),
      },
      { named: "s", does: "smooth, or cells", run: { s: toggle_smooth } },
    ],
  ],
  [
    "comparing",
    [
      { named: "b", does: "B in the place of A, while held", run: { b: (view) => blink(view, true) } },
      { named: "d", does: "the difference", run: { d: toggle_difference } },
      { named: "x", does: "exchange A and B", run: { x: swap_or_say } },
    ],
  ],
  [
    "page",
    [
      for_part("p", "keep what is shown as a card", ".as-pin-view"),
      for_part("e", "export", ".as-leave"),
      for_part("y", "copy the code", ".as-copy"),
      { named: "f", does: "full screen", run: { f: full_screen } },
      { named: "?", does: "these keys", run: { "?": (view) => void (view.help.value = !view.help.peek()) } },
    ],
  ],
];

const TYPING = "textarea, [contenteditable], input:not([type=range], [type=checkbox], [type=radio], [type=color])";

export function on_key(view: View, event: KeyboardEvent): void {
  // Some keyboards have brackets and backslash only with AltGr, which says Ctrl and Alt too.
  const modified = (event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph");
  const { key } = event;
  if (modified || event.metaKey || key === "Tab") return;
  event.stopPropagation();
  const target = event.target as HTMLElement;
  if (event.defaultPrevented) return;
  if (target.closest("dialog, [role=dialog]")) {
    if (key === "?" && view.help.peek()) view.help.value = false; // all else is the dialog's own
    return;
  }
  if (target.matches(TYPING)) {
    if (key === "Escape") view.hold_focus();
    return;
  }
  const used = ARROWS[key] ? on_arrow(view, target, key) : on_letter(view, target, key, event);
  if (used) event.preventDefault();
}

/** The box to type in is there from now on, at the latest. */
function find_word(view: View): void {
  view.letters.value ??= "";
  requestAnimationFrame(() => view.root.querySelector<HTMLElement>(".as-find")?.focus());
}

function on_arrow(view: View, target: HTMLElement, key: string): boolean {
  return !target.matches(`input, select, ${SCROLLING}`) && move_focus(view.root, target, key);
}

function on_letter(view: View, target: HTMLElement, key: string, { repeat, shiftKey }: KeyboardEvent): boolean {
  // Space and Enter on a button press it; in a select, letters choose; a slider has ends of its own.
  if (target.matches("select") && key !== "Escape") return false;
  if ((key === " " || key === "Enter") && target.matches("button, input")) return false;
  if ((key === "Home" || key === "End") && target.matches("input")) return false;
  if (target.matches(key === "Enter" ? ".as-tile" : "[role=button]") && (key === "Enter" || key === " ")) {
    target.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey }));
    return true;
  }
  // With nothing to act on yet, there is the page itself and the way out of it.
  const act = view.scope.manifest.steps.length || key === "Escape";
  const groups = act ? KEYS : KEYS.slice(-1);
  const known = groups.flatMap(([, keys]) => keys).find(({ run }) => Object.hasOwn(run, key));
  if (!known) return false;
  if (known.part && !view.root.querySelector(known.part)) return false;
  if (!repeat || REPEATING.has(key)) known.run[key]?.(view);
  return true;
}

/** While held, these go on. */
const REPEATING = new Set("jkhl[],.<>");

export function on_key_up(view: View, { key }: KeyboardEvent): void {
  if (key.toLowerCase() === "b") blink(view, false);
}
