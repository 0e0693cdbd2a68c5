/** Pins: views that are kept, as the traits that make them. */

import { DEFAULTS, type Pin, TRAITS, type Traits } from "./state.ts";

/** What plays, how the page looks and the pins themselves are no part of a view. */
const APART: readonly (keyof Traits)[] = ["pins", "theme", "fps", "loop", "span", "order"];
export const VIEW_TRAITS = TRAITS.filter((name) => !APART.includes(name));

const pick = (traits: Partial<Traits>): Partial<Traits> =>
  Object.fromEntries(VIEW_TRAITS.flatMap((name) => (traits[name] === undefined ? [] : [[name, traits[name]]])));

/** The layer on screen is named, also where the trait leaves it to us. */
export const pin_of = (traits: Traits, layer: string): Pin => ({ state: { ...pick(traits), layer }, note: "" });

/** All traits of the pinned view; those that it does not tell are at their defaults. */
export const restored = ({ state }: Pin): Partial<Traits> => ({ ...pick(DEFAULTS), ...pick(state) });

export function moved(pins: readonly Pin[], from: number, to: number): Pin[] {
  const rest = pins.filter((_, i) => i !== from);
  const pin = pins[from];
  if (pin) rest.splice(Math.max(0, to), 0, pin);
  return rest;
}
