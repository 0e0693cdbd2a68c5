/** B is A with these coordinates changed: which ones, to what, and how the two are shown. */

import { compare, swap, unswappable } from "../actions.ts";
import { type Coordinate, choices, dimensions, first_change, value_name } from "../scope/comparing.ts";
import type { CompareAs } from "../scope/state.ts";
import { useView } from "./context.ts";
import { Select } from "./Select.tsx";

const WAYS: readonly CompareAs[] = ["side", "swipe", "difference", "blink"];
const NAMES: Partial<Record<Coordinate, string>> = { token: "word", direction: "attention", capture: "run" };

export function CompareBar() {
  const view = useView();
  const { scope } = view;
  const { compare: chosen, compare_as } = scope.state.is;
  const now = chosen.value;
  if (!now) return null;
  const changed = Object.keys(now) as Coordinate[];
  const others = dimensions(scope).filter((name) => !changed.includes(name));
  return (
    <div class="as-compare" role="group" aria-label="comparison">
      <span class="as-compare-lead">B is A with</span>
      {changed.map((name) => (
        <span key={name} class="as-compare-with">
          {NAMES[name] ?? name}
          <Coordinates name={name} value={now[name]} choose={(value) => compare(view, { ...now, [name]: value })} />
          {changed.length > 1 && (
            <button
              type="button"
              aria-label={`the same ${name} as A`}
              onClick={() => compare(view, Object.fromEntries(Object.entries(now).filter(([key]) => key !== name)))}
            >
              ×
            </button>
          )}
        </span>
      ))}
      {others.length > 0 && (
        <Select
          label="change another coordinate of B"
          value=""
          options={["", ...others]}
          name={(option) => (option === "" ? "and …" : (NAMES[option as Coordinate] ?? String(option)))}
          choose={(name) => name && compare(view, { ...now, ...first_change(scope, name as Coordinate) })}
        />
      )}
      <div class="as-segments" role="group" aria-label="how A and B are shown">
        {WAYS.map((way) => (
          <button
            key={way}
            type="button"
            aria-pressed={compare_as.value === way}
            onClick={() => scope.state.set({ compare_as: way })}
          >
            {way}
          </button>
        ))}
      </div>
      <button
        type="button"
        onClick={() => swap(view)}
        title={unswappable(view) || "exchange A and B (x)"}
        disabled={unswappable(view) !== ""}
      >
        swap
      </button>
      <button type="button" class="as-close" aria-label="end the comparison" onClick={() => compare(view, null)}>
        ×
      </button>
    </div>
  );
}

function Coordinates(props: { name: Coordinate; value: unknown; choose: (value: unknown) => void }) {
  const { scope } = useView();
  const { name, value, choose } = props;
  const now = JSON.stringify(value);
  const known = choices(scope, name).map(([each]) => JSON.stringify(each));
  return (
    <Select
      label={`${name} of B`}
      value={now}
      options={known.includes(now) ? known : [now, ...known]}
      name={(option) => value_name(scope, name, JSON.parse(String(option))).replace(/^step /, "")}
      choose={(option) => choose(JSON.parse(option))}
    />
  );
}
