import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Rgb } from "../maps/colouring.ts";
import { hues_of } from "../scope/facts.ts";
import { type Chip, pieces } from "../scope/words.ts";
import type { View } from "../view.tsx";

export const ViewContext = createContext<View | null>(null);

export function useView(): View {
  const view = useContext(ViewContext);
  if (!view) throw new Error("a part was rendered outside of a view");
  return view;
}

const APART = new WeakMap<readonly Chip[], readonly Chip[]>();

/** The words of the prompt, or the pieces that the tokenizer made of them, as this view shows them. */
export function chips_in({ scope, pieces: in_pieces }: View): readonly Chip[] {
  const { chips, manifest } = scope.facts.value;
  if (!in_pieces.value) return chips;
  let apart = APART.get(chips);
  if (!apart) APART.set(chips, (apart = pieces(manifest, chips)));
  return apart;
}

/** The colour that stands for a word in the maps on screen; undefined where words have none there. */
export function colour_in({ scope }: View, chip: Chip): Rgb | undefined {
  const { words } = scope.at.value;
  if (!words.length) {
    const [column] = chip.columns;
    const whole = chip.place ? scope.facts.value.chips.find(({ columns }) => columns.includes(column as number)) : chip;
    return whole && scope.colour_of(whole);
  }
  if (words.length < 2 || !scope.state.is.hues.value) return undefined;
  const which = words.findIndex((columns) => columns.join() === chip.columns.join());
  return which < 0 ? undefined : hues_of(scope.facts.value, words)[which];
}
