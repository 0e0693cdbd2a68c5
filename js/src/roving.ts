/** One tab stop for each group of tiles, words or keys; the arrows move in it. */

export const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Each group, and what one moves among in it. */
const GROUPS: readonly (readonly [string, string])[] = [
  ["[role=grid]", ".as-tile"],
  [".as-chips", ".as-chip"],
  [".as-keys", ".as-bar"],
];

/** What may have to scroll without anything to be focused in it. */
export const SCROLLING = ".as-bars-pane, .as-bars:not(.as-keys)";

/** What the reader chose last of a group is where Tab enters it. */
const CHOSEN = ".as-current, [aria-pressed=true]";

const items_of = (root: Element, group: string, item: string): HTMLElement[][] =>
  [...root.querySelectorAll(group)].map((each) => [...each.querySelectorAll<HTMLElement>(item)]);

/** Leaves every group exactly one tab stop: where the focus is, else where it was, else what is chosen. */
export function keep_tab_stops(root: HTMLElement): void {
  const focused = (root.getRootNode() as Document | ShadowRoot).activeElement;
  for (const [group, item] of GROUPS) {
    for (const items of items_of(root, group, item)) {
      const stops = items.filter(({ tabIndex }) => tabIndex === 0);
      const entry =
        items.find((each) => each === focused) ??
        (stops.length === 1 ? stops[0] : (items.find((each) => each.matches(CHOSEN)) ?? items[0]));
      for (const each of items) if ((each.tabIndex === 0) !== (each === entry)) each.tabIndex = each === entry ? 0 : -1;
    }
  }
  for (const each of root.querySelectorAll<HTMLElement>(SCROLLING)) {
    const scrolls = each.scrollHeight > each.clientHeight + 1 && getComputedStyle(each).overflowY === "auto";
    if (scrolls) each.tabIndex = 0;
    else each.removeAttribute("tabindex");
  }
}

/** To the nearest of its group in that direction, as they lie on the page; from outside of a group into the tiles. */
export function move_focus(root: HTMLElement, from: HTMLElement, key: string): boolean {
  const [dx, dy] = ARROWS[key] as readonly [number, number];
  const [group, item] = GROUPS.find(([group]) => from.closest(group)) ?? (GROUPS[0] as readonly [string, string]);
  const inside = from.closest(group);
  const items = [...(inside ?? root).querySelectorAll<HTMLElement>(item)];
  const here = inside && from.closest<HTMLElement>(item);
  if (!here) {
    const first = items.find((each) => each.tabIndex === 0) ?? items[0];
    first?.focus();
    return first !== undefined;
  }
  const centre = (element: HTMLElement) => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2] as const;
  };
  const [x, y] = centre(here);
  let best: HTMLElement | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const each of items) {
    const [to_x, to_y] = centre(each);
    const along = (to_x - x) * dx + (to_y - y) * dy;
    const aside = Math.abs((to_x - x) * dy) + Math.abs((to_y - y) * dx);
    const cost = along + 3 * aside;
    if (each !== here && along > 1 && cost < least) {
      best = each;
      least = cost;
    }
  }
  best?.focus();
  return best !== undefined;
}
