/** How values became colours: the bar, its switches, and the sentence that says it all. */

import { useState } from "preact/hooks";
import { BLENDS, SCALES, set_scale, TRANSFORMS } from "../actions.ts";
import { DIVERGING } from "../maps/diverging.ts";
import { COLOUR_MAPS, type ColourMap, type DivergingMap } from "../maps/luts.ts";
import { default_scale } from "../paint/frame.ts";
import type { Special } from "../scope/state.ts";
import type { Blend, Scale, Transform } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { Histogram } from "./Histogram.tsx";
import { Select } from "./Select.tsx";

const NAMES: Record<string, string> = {
  own: "own scale",
  shared: "shared scale",
  run: "all steps",
  fixed: "fixed scale",
  sqrt: "square root",
  uniform: "× chance",
  vik: "vik",
  RdBu_r: "red, blue",
};

const name = (option: string | number): string => NAMES[option] ?? String(option);

export function Controls() {
  const { painter } = useView();
  const [more, set_more] = useState(false);
  return (
    <div class="as-controls">
      <div class="as-colour">
        <Histogram />
        <canvas
          class="as-colour-bar"
          width="256"
          height="1"
          ref={(element) => void (painter.parts.colour_bar = element)}
        />
        <div class="as-ticks" ref={(element) => void (painter.parts.ticks = element)}>
          {[0, 1, 2].map((i) => (
            <span key={i}>
              <i />
            </span>
          ))}
        </div>
        <p class="as-hint">colours of the words below; point at one for its map</p>
      </div>
      <div class="as-selects">
        <Scaling />
        <Overlay />
        <button
          type="button"
          class="as-icon as-more-button"
          aria-label="more about colours"
          title="clip, colours, smoothing"
          aria-expanded={more}
          onClick={() => set_more(!more)}
        >
          ⋯
        </button>
      </div>
      <More open={more} />
      <Counting />
    </div>
  );
}

function Scaling() {
  const view = useView();
  const { scope } = view;
  const { scale, transform } = scope.state.is;
  const playing = view.player.playing.value;
  const auto = playing ? "run" : default_scale(scope.at.value, scope.other_at.value);
  return (
    <>
      <Select
        label="scale"
        value={scale.value}
        options={["auto", ...SCALES]}
        name={(option) => (option === "auto" ? `auto: ${name(auto)}` : name(option))}
        choose={(value) => set_scale(view, value as Scale)}
      />
      <Select
        label="transform"
        value={transform.value}
        options={TRANSFORMS}
        name={name}
        choose={(value) => scope.state.set({ transform: value as Transform })}
      />
    </>
  );
}

/** How the map lies on the picture. */
function Overlay() {
  const { scope } = useView();
  const { blend, overlay } = scope.state.is;
  const does: Record<Blend, string> = {
    colour: "opacity of the map over the picture",
    mask: "how dark the picture is where the map is low",
    contour: "a line has no opacity",
  };
  return (
    <div class="as-overlay">
      <Select
        label="how the map lies on the picture"
        value={blend.value}
        options={BLENDS}
        choose={(value) => scope.state.set({ blend: value as Blend })}
      />
      <input
        type="range"
        min={0}
        max={1}
        step={0.05}
        value={overlay.value}
        disabled={blend.value === "contour"}
        style={{ "--as-at": overlay.value }}
        title={does[blend.value]}
        aria-label={does[blend.value]}
        aria-valuetext={`${Math.round(100 * overlay.value)} %`}
        onInput={(event) => scope.state.set({ overlay: Number(event.currentTarget.value) })}
      />
    </div>
  );
}

const CLIPS: readonly (readonly [number, number])[] = [
  [0, 100],
  [1, 99],
];

/** What is rarely changed. */
function More({ open }: { open: boolean }) {
  const { scope } = useView();
  const { clip, cmap, diverging, smooth, scale, transform, compare } = scope.state.is;
  const now = JSON.stringify(clip.value);
  const clips = [...new Set([...CLIPS.map((each) => JSON.stringify(each)), now])];
  return (
    <div class="as-selects as-more" hidden={!open}>
      <Select
        label="percentiles between which the colours run"
        value={now}
        options={clips}
        name={(option) => `clip ${JSON.parse(String(option)).join("–")} %`}
        disabled={scale.value === "fixed" || transform.value === "rank"}
        choose={(value) => scope.state.set({ clip: JSON.parse(value) })}
      />
      <Select
        label="colour map"
        value={cmap.value}
        options={COLOUR_MAPS}
        choose={(value) => scope.state.set({ cmap: value as ColourMap })}
      />
      {compare.value && (
        <Select
          label="colours of the difference"
          value={diverging.value}
          options={DIVERGING}
          name={name}
          choose={(value) => scope.state.set({ diverging: value as DivergingMap })}
        />
      )}
      <Check
        label="smooth"
        title="drawn with bilinear interpolation; values stay as they are"
        checked={smooth.value}
        set={(smooth) => scope.state.set({ smooth })}
      />
    </div>
  );
}

const SPECIAL: readonly (readonly [Special, string])[] = [
  ["bos", "BOS"],
  ["eos", "EOS"],
  ["pad", "pad"],
];

/** Which tokens count: always in sight, since it changes every number. */
function Counting() {
  const { scope } = useView();
  const { drop, renormalise } = scope.state.is;
  if (scope.at.value.kind === "self") return null;
  const there = SPECIAL.filter(([kind]) => scope.manifest.tokens.some((info) => info.kind === kind));
  const set = (kind: Special, counts: boolean) => {
    const others = drop.value.filter((each) => each !== kind);
    const next = counts ? others : [...others, kind];
    scope.state.set({ drop: SPECIAL.map(([each]) => each).filter((each) => next.includes(each)) });
  };
  return (
    <div class="as-counting" role="group" aria-label="tokens that count">
      {there.length > 0 && <span>count</span>}
      {there.map(([kind, label]) => (
        <Check
          key={kind}
          label={label}
          title={`${label} counts: in the bars, in Σ and in renormalising`}
          checked={!drop.value.includes(kind)}
          set={(counts) => set(kind, counts)}
        />
      ))}
      <Check
        label="renormalise"
        title="divide every value by the sum over the tokens that count, pixel by pixel"
        checked={renormalise.value}
        set={(renormalise) => scope.state.set({ renormalise })}
      />
    </div>
  );
}

function Check(props: { label: string; title: string; checked: boolean; set: (checked: boolean) => void }) {
  const { label, title, checked, set } = props;
  return (
    <label class="as-check" title={title}>
      <input type="checkbox" checked={checked} onChange={(event) => set(event.currentTarget.checked)} />
      {label}
    </label>
  );
}

export function Sentence() {
  const { painter } = useView();
  return <p class="as-legend" ref={(element) => void (painter.parts.legend = element)} />;
}
