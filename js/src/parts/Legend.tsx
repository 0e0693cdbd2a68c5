/** How values became colours: the bar, its switches, and the sentence that says it all. */

import { SCALES, TRANSFORMS } from "../actions.ts";
import { COLOUR_MAPS, type ColourMap } from "../maps/luts.ts";
import type { Scale, Transform } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { Select } from "./Select.tsx";

const NAMES: Record<string, string> = {
  own: "own scale",
  shared: "shared scale",
  run: "all steps",
  sqrt: "square root",
};

const name = (option: string | number): string => NAMES[option] ?? String(option);

export function Controls() {
  const { scope, painter } = useView();
  const { scale, transform, cmap, overlay } = scope.state.is;
  const level = scope.at.value.level;
  const in_force = scale.value === "auto" ? (level === "layer" ? "shared" : "own") : scale.value;
  return (
    <div class="as-controls">
      <div class="as-colour">
        <canvas
          class="as-colour-bar"
          width="256"
          height="1"
          ref={(element) => void (painter.parts.colour_bar = element)}
        />
        <div class="as-ticks" ref={(element) => void (painter.parts.ticks = element)}>
          <span />
          <span />
          <span />
        </div>
        <p class="as-hint">colours of the words below; point at one for its map</p>
      </div>
      <div class="as-selects">
        <Select
          label="scale"
          value={in_force}
          options={SCALES}
          name={name}
          choose={(value) => scope.state.set({ scale: value as Scale })}
        />
        <Select
          label="transform"
          value={transform.value}
          options={TRANSFORMS}
          name={name}
          choose={(value) => scope.state.set({ transform: value as Transform })}
        />
        <Select
          label="colour map"
          value={cmap.value}
          options={COLOUR_MAPS}
          choose={(value) => scope.state.set({ cmap: value as ColourMap })}
        />
        <label class="as-overlay" title="opacity of the map over the picture">
          <span>overlay</span>
          <input
            type="range"
            min={0}
            max={1}
            step={0.05}
            value={overlay.value}
            style={{ "--as-at": overlay.value }}
            aria-label="opacity of the map over the picture"
            aria-valuetext={`${Math.round(100 * overlay.value)} %`}
            onInput={(event) => scope.state.set({ overlay: Number(event.currentTarget.value) })}
          />
        </label>
      </div>
    </div>
  );
}

export function Sentence() {
  const { painter } = useView();
  return <p class="as-legend" ref={(element) => void (painter.parts.legend = element)} />;
}
