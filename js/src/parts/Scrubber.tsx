/** The steps: a line over the whole run, playback over all or some of it, and what is already here. */

import { useMemo } from "preact/hooks";
import { compare } from "../actions.ts";
import { timestep_text } from "../maps/numbers.ts";
import { ends_of, labelled, nearest, run_steps, stretches, target_of } from "../scope/axis.ts";
import type { Traits } from "../scope/state.ts";
import type { View } from "../view.tsx";
import { useView } from "./context.ts";
import { uv_in } from "./pointer.ts";
import { Select } from "./Select.tsx";
import { SpanHandles } from "./Span.tsx";

const RATES = [1, 2, 4, 8, 12, 16, 24, 30];
const LOOPS: readonly Traits["loop"][] = ["loop", "once", "bounce"];
const LABELS = { wide: 9, medium: 4, stacked: 5, narrow: 4 };

export function Scrubber() {
  const { player, scope } = useView();
  const { steps, live } = scope.manifest;
  const { following } = scope;
  const { step, index } = scope.at.value;
  const { fps, loop } = scope.state.is;
  const total = run_steps(scope);
  const t = time_of(steps[index]);
  const playing = player.playing.value;
  const awaited = player.awaited.value;
  const rates = [...new Set([...RATES, fps.value])].sort((a, b) => a - b);
  return (
    <div class="as-scrubber">
      <div class="as-transport">
        <IconButton name="first step" keys="Home" path="M3 3h2v10H3zM13 3 6 8l7 5z" onClick={() => player.seek(0)} />
        <IconButton name="previous step" keys="," path="M11 3 5 8l6 5z" onClick={() => player.move(-1)} />
        <IconButton
          name={playing ? "pause" : "play"}
          keys="space"
          path={playing ? "M4 3h3v10H4zM9 3h3v10H9z" : "M4 2.5 13 8l-9 5.5z"}
          extra=" as-play"
          onClick={() => player.toggle()}
        />
        <IconButton name="next step" keys="." path="m5 3 6 5-6 5z" onClick={() => player.move(1)} />
        <IconButton
          name="last step"
          keys="End"
          path="M11 3h2v10h-2zM3 3l7 5-7 5z"
          onClick={() => player.seek(steps.length - 1)}
        />
      </div>
      <Slider />
      <output class="as-step">
        step <b>{step}</b>
        {total === null ? "" : `/${total}`}{" "}
        {awaited !== null ? <span title={`step ${awaited} is on its way`}>◌ {awaited}</span> : t && <span>{t}</span>}
      </output>
      {live && (
        <button
          type="button"
          class="as-follow"
          aria-pressed={following}
          title="show each step of the run as it is finished"
          onClick={() => player.seek(steps.length - 1)}
        >
          {following ? "live" : "follow"} {(steps.at(-1)?.step ?? 0) + 1}
          {total === null ? "" : `/${total}`}
        </button>
      )}
      {steps.length > 1 && (
        <div class="as-pace">
          <Select
            label="steps a second"
            value={fps.value}
            options={rates}
            name={(rate) => `${rate} fps`}
            choose={(rate) => scope.state.set({ fps: Number(rate) })}
          />
          <Select
            label="at the end of the steps"
            value={loop.value}
            options={LOOPS}
            choose={(way) => scope.state.set({ loop: way as Traits["loop"] })}
          />
        </div>
      )}
    </div>
  );
}

const time_of = (info: { timestep: number | null } | undefined): string =>
  info?.timestep == null ? "" : `t=${timestep_text(info.timestep)}`;

/** How far a wheel turns for a step: a notch of a mouse is about 100, a trackpad sends many small ones. */
const NOTCH = 40;

function Slider() {
  const view = useView();
  const { player, scope, painter } = view;
  const { steps } = scope.manifest;
  const { step, index } = scope.at.value;
  const total = run_steps(scope);
  const ends = ends_of(scope);
  const [first, last] = ends;
  const cells = last - first + 1;
  const place = (label: number) => (last > first ? (label - first) / (last - first) : 0);
  const t = time_of(steps[index]).replace("t=", ", t ");
  const other = scope.state.is.compare.value?.step;
  const turn = useMemo(() => turning(view), [view]);
  return (
    <div class="as-slider" style={{ "--as-cells": cells }} onWheel={turn}>
      <svg class="as-spark" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
        <path class="as-line" ref={(element) => void (painter.parts.scrub_spark = element)} />
      </svg>
      <input
        type="range"
        min={first}
        max={last}
        step={1}
        value={step}
        style={{ "--as-at": place(step), "--as-have": place(steps.at(-1)?.step ?? 0) }}
        aria-label="step"
        aria-valuetext={`step ${step}${total === null ? "" : ` of ${total}`}${t}`}
        title="alt-click: compare with that step"
        onInput={({ currentTarget }) => {
          player.seek(nearest(steps, Number(currentTarget.value)));
          currentTarget.value = String(scope.at.peek().step); // not where no step is
        }}
        onPointerDown={(event) => {
          if (!event.altKey) return;
          event.preventDefault();
          const [u] = uv_in(event.currentTarget.parentElement as Element, event);
          compare(view, { step: (steps[nearest(steps, first + u * cells - 0.5)] as { step: number }).step });
        }}
        onKeyDown={(event) => {
          const to = target_of(event.key, index, steps.length);
          if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
          event.preventDefault();
          player.seek(to);
        }}
      />
      {other !== undefined && (
        <span class="as-step-b" style={{ "--as-x": (other - first + 0.5) / cells }} title={`B is at step ${other}`}>
          B
        </span>
      )}
      <SpanHandles ends={ends} />
      <Buffered ends={ends} />
      <div class="as-step-labels" aria-hidden="true">
        {labelled(steps, ends, LABELS[view.breadth.value]).map((i) => {
          const info = steps[i] as (typeof steps)[number];
          const at = (info.step - first + 0.5) / cells;
          return (
            <span key={info.step} style={{ "--as-x": at, "--as-turn": place(info.step) }}>
              <b>{info.step}</b> {time_of(info)}
            </span>
          );
        })}
      </div>
    </div>
  );
}

/** The wheel steps, here and nowhere else: over all the rest of the widget it scrolls the page. */
function turning({ player }: View) {
  let turned = 0;
  return (event: WheelEvent) => {
    if (event.ctrlKey || event.metaKey) return; // zooms the page
    event.preventDefault();
    turned += Math.abs(event.deltaY) > Math.abs(event.deltaX) ? event.deltaY : event.deltaX;
    const by = Math.trunc(turned / NOTCH);
    if (!by) return;
    turned = 0;
    player.move(Math.sign(by));
  };
}

/** Which steps can be shown at once, as a row of cells; hatched where none was captured. */
function Buffered({ ends }: { ends: readonly [number, number] }) {
  const { scope, news } = useView();
  news.value; // again whenever something came
  const at = scope.at.value;
  const { steps, live } = scope.manifest;
  const newest = steps.at(-1)?.step ?? 0;
  const cells = stretches(steps, ends).flatMap((each) => {
    const ahead = live && each.index === null && each.step > newest;
    return ahead ? Array.from({ length: each.length }, (_, i) => ({ ...each, step: each.step + i, length: 1 })) : each;
  });
  return (
    <div class="as-buffered" aria-hidden="true">
      {cells.map(({ step, length, index }) => {
        const here = index !== null && scope.visible({ ...at, step }).every(({ id }) => scope.transport.has(id));
        const gap = index === null && !(live && step > newest);
        const said = length > 1 ? `steps ${step} to ${step + length - 1} were` : `step ${step} was`;
        return (
          <i
            key={step}
            class={here ? "as-here" : gap ? "as-gap" : ""}
            style={length > 1 ? { flexGrow: length } : {}}
            title={gap ? `${said} not captured` : undefined}
          />
        );
      })}
    </div>
  );
}

function IconButton(props: { name: string; keys: string; path: string; extra?: string; onClick: () => void }) {
  const { name, keys, path, extra = "", onClick } = props;
  const { steps } = useView().scope.manifest;
  return (
    <button
      type="button"
      class={`as-icon${extra}`}
      aria-label={name}
      title={`${name} (${keys})`}
      disabled={steps.length < 2}
      onClick={onClick}
    >
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <path d={path} fill="currentColor" />
      </svg>
    </button>
  );
}
