/** The state as Python writes it. */

import { DEFAULTS, TRAITS, type Traits } from "./state.ts";

/** JSON as a Python literal. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(([key, each]) => `${python(key)}: ${python(each)}`);
    return `{${entries.join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** What differs from the defaults; the step always, since Python's default is the last one captured. */
export function state_code(traits: Traits): string {
  const differs = TRAITS.filter((name) => name === "step" || python(traits[name]) !== python(DEFAULTS[name]));
  return `scope.state = ${python(Object.fromEntries(differs.map((name) => [name, traits[name]])))}`;
}
