/** One capture and its packets, seen with other traits than those on screen: what a pin or a figure shows. */

import { signal } from "@preact/signals";
import type { Kind } from "../wire/protocol.ts";
import type { Scope } from "./scope.ts";
import { resolve, resolve_other } from "./selection.ts";
import { type State, TRAITS, type Traits } from "./state.ts";

export const traits_of = ({ is }: State): Traits =>
  Object.fromEntries(TRAITS.map((name) => [name, is[name].peek()])) as unknown as Traits;

/** A scope that shares everything but the selection; nothing that is drawn of it changes the model. */
export function glimpse(scope: Scope, traits: Traits): Scope {
  const facts = scope.facts.peek();
  const seen_as = (kind: Kind) => signal(resolve(facts, { ...traits, kind }));
  return Object.assign(Object.create(scope), {
    state: { is: Object.fromEntries(TRAITS.map((name) => [name, signal(traits[name])])) },
    at: signal(resolve(facts, traits)),
    at_of: { cross: seen_as("cross"), self: seen_as("self") },
    other_at: signal(resolve_other(facts, scope.other.peek(), traits, traits.compare)),
  });
}
