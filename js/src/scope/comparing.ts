/** What can be compared: coordinates of B, and the values that each can have. */

import type { Head, Token } from "../wire/protocol.ts";
import type { Scope } from "./scope.ts";
import { head_name } from "./selection.ts";
import type { Compare } from "./state.ts";
import { columns, texts, token_of } from "./words.ts";

export type Coordinate = keyof Compare;

/** Coordinates along which there is something to compare. */
export function dimensions(scope: Scope): Coordinate[] {
  const all: Coordinate[] = ["step", "head", "layer", "token", "branch", "image", "direction", "capture"];
  return all.filter((name) => choices(scope, name).length > 1);
}

/** What a coordinate of B can be, in the capture that B is of: values, and how they are called. */
export function choices(scope: Scope, name: Coordinate): [value: unknown, text: string][] {
  const other = scope.other_at.value;
  const { manifest, layers, chips } = scope.facts_of(other ?? { capture: 0 });
  const at = other ?? scope.at.value;
  const heads: Head[] = ["mean", "max", ...Array.from({ length: at.layer.single_heads }, (_, i) => i)];
  const lists: Record<Coordinate, () => [unknown, string][]> = {
    step: () => manifest.steps.map(({ step }) => [step, String(step)]),
    head: () => (at.layer.single_heads ? heads.map((head) => [head, head_name(head)]) : []),
    layer: () => layers[at.kind].map(({ layer }) => [layer, layer]),
    token: () => (at.kind === "cross" ? chips.map((chip) => [token_of(chip), chip.text]) : []),
    branch: () => manifest.branches.map((branch) => [branch, branch]),
    image: () => manifest.images.map((label, i) => [i, label]),
    direction: () =>
      at.kind === "self"
        ? [
            ["row", "attends to"],
            ["column", "attended by"],
          ]
        : [],
    capture: () =>
      scope.other.value
        ? [
            [0, "this run"],
            [1, `“${scope.other.value.manifest.title}”`],
          ]
        : [],
  };
  return lists[name]();
}

/** What a value is called: `step 12`, `head 3`, `‘star’`. */
export function value_name(scope: Scope, name: Coordinate, value: unknown): string {
  const wanted = JSON.stringify(value);
  const known = choices(scope, name).find(([each]) => JSON.stringify(each) === wanted);
  if (name === "step") return `step ${value}`;
  if (name === "token") {
    const { manifest } = scope.facts_of(scope.other_at.value ?? { capture: 0 });
    return known
      ? `‘${known[1]}’`
      : value === null
        ? "strongest word"
        : texts(manifest, columns(manifest, value as Token)).join(" + ");
  }
  return known?.[1] ?? (name === "head" ? head_name(value as Head) : String(value));
}

/** Something else than A has, or B has until now. */
export function first_change(scope: Scope, name: Coordinate): Compare {
  const at = scope.other_at.value ?? scope.at.value;
  const { token } = scope.state.is;
  const here: Compare = { ...at, layer: at.layer.layer, token: token.value };
  const now = JSON.stringify(here[name]);
  const other = choices(scope, name).find(([value]) => JSON.stringify(value) !== now);
  return { [name]: other?.[0] };
}
