/** The steps: a native slider over what was captured, playback, and what is already here. */

import { timestep_text } from "../maps/numbers.ts";
import { run_steps } from "../paint/legend.ts";
import { useView } from "./context.ts";

export function Scrubber() {
  const view = useView();
  const { player, scope, painter } = view;
  const { steps, live } = scope.manifest;
  const { places, following } = scope;
  const { index, step } = scope.at.value;
  const info = steps[index];
  const total = run_steps(scope);
  const t = info?.timestep == null ? null : timestep_text(info.timestep);
  const playing = player.playing.value;
  const along = (at: number) => (places > 1 ? at / (places - 1) : 0);
  const go = (to: number) => {
    player.stop();
    player.direction = to < index ? -1 : 1;
    player.go(to);
  };
  return (
    <div class="as-scrubber">
      <IconButton name="previous step" keys="," path="M11 3 5 8l6 5z" onClick={() => go(index - 1)} />
      <IconButton
        name={playing ? "pause" : "play"}
        keys="space"
        path={playing ? "M4 3h3v10H4zM9 3h3v10H9z" : "M4 2.5 13 8l-9 5.5z"}
        onClick={() => player.toggle()}
      />
      <IconButton name="next step" keys="." path="m5 3 6 5-6 5z" onClick={() => go(index + 1)} />
      <div class="as-slider">
        <svg class="as-spark" viewBox="0 0 100 16" preserveAspectRatio="none" aria-hidden="true">
          <path class="as-line" ref={(element) => void (painter.parts.scrub_spark = element)} />
        </svg>
        <input
          type="range"
          min={0}
          max={places - 1}
          step={1}
          value={index}
          style={{ "--as-at": along(index), "--as-have": along(steps.length - 1) }}
          aria-label="step"
          aria-valuetext={`step ${step}${total === null ? "" : ` of ${total}`}${t === null ? "" : `, t ${t}`}`}
          onInput={({ currentTarget }) => {
            go(Number(currentTarget.value));
            currentTarget.value = String(scope.at.peek().index); // not where no step is yet
          }}
        />
        <Buffered />
      </div>
      {live && (
        <button
          type="button"
          class="as-follow"
          aria-pressed={following}
          title="show each step of the run as it is finished"
          onClick={() => go(steps.length - 1)}
        >
          {following ? "live" : "follow"} {(steps.at(-1)?.step ?? 0) + 1}
          {total === null ? "" : `/${total}`}
        </button>
      )}
      <output class="as-step">
        step <b>{step}</b>
        {total === null ? "" : `/${total}`} {t !== null && <span>t={t}</span>}
      </output>
    </div>
  );
}

/** Which steps can be shown at once, as a row of cells. */
function Buffered() {
  const { scope, news } = useView();
  news.value; // again whenever something came
  const at = scope.at.value;
  const { steps } = scope.manifest;
  return (
    <div class="as-buffered" aria-hidden="true">
      {Array.from({ length: scope.places }, (_, i) => {
        const { step } = steps[i] ?? {};
        const here = step !== undefined && scope.visible({ ...at, step }).every(({ id }) => scope.transport.has(id));
        return <i key={i} class={here ? "as-here" : ""} />;
      })}
    </div>
  );
}

function IconButton(props: { name: string; keys: string; path: string; onClick: () => void }) {
  const { name, keys, path, onClick } = props;
  const { steps } = useView().scope.manifest;
  return (
    <button
      type="button"
      class="as-icon"
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
