/** The prompt as chips: hover to look, click to pin, shift-click to add, alt-click to compare with. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { choose, pick_word, too_many } from "../actions.ts";
import { css } from "../maps/luts.ts";
import { match_words } from "../scope/matching.ts";
import { type Chip, found, is_chosen, MOST_HUES } from "../scope/words.ts";
import { chips_in, colour_in, useView } from "./context.ts";
import { word_hover } from "./pointer.ts";

/** Prompts of more words have a box to find one in. */
const MANY = 12;

export function Words() {
  const view = useView();
  const { scope } = view;
  const { truncated, tokens_known } = scope.manifest;
  const { token, hues } = scope.state.is;
  const { words } = scope.at.value;
  const all = chips_in(view);
  const letters = view.letters.value;
  const shown = letters ? found(all, letters) : all;
  const sought = letters !== null || all.length > MANY;
  const crowded = hues.value && words.length > MOST_HUES;
  return (
    <div class="as-words">
      {(sought || words.length > 1) && (
        <div class="as-words-tools">
          {sought && <Find found={shown} all={all.length} />}
          {words.length > 1 && <HuesSwitch count={words.length} />}
        </div>
      )}
      <div class="as-chips" role="group" aria-label="words of the prompt">
        {shown.map((chip) => (
          <WordChip
            key={`${chip.first} ${chip.columns.length}`}
            chip={chip}
            pinned={is_chosen(token.value, chip)}
            contest={words.length === 0}
          />
        ))}
        {letters && !shown.length && <p class="as-note">no word of the prompt has ‘{letters}’ in it</p>}
      </div>
      {(view.refused.value || crowded) && <p class="as-note as-refused">{too_many()}</p>}
      {truncated && <p class="as-note">the tokenizer dropped: {truncated}</p>}
      {!tokens_known && <p class="as-note">the prompt is not known: words are positions in the encoder’s sequence</p>}
    </div>
  );
}

/** Letters typed here are letters: no key of the scope, and none of the notebook around it. */
function Find({ found, all }: { found: readonly Chip[]; all: number }) {
  const view = useView();
  const { letters } = view;
  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    const [first] = found;
    if (event.key === "Enter" && first) choose(view, first, event.shiftKey);
    if (event.key !== "Escape") return;
    view.hold_focus();
    letters.value = null;
  };
  return (
    <label class="as-finding">
      <input
        class="as-find"
        type="search"
        placeholder="find a word (/)"
        aria-label="find a word of the prompt"
        value={letters.value ?? ""}
        onInput={(event) => {
          letters.value = event.currentTarget.value;
        }}
        onKeyDown={keys}
      />
      <span>{letters.value ? `${found.length} of ${all}` : ""}</span>
    </label>
  );
}

function HuesSwitch({ count }: { count: number }) {
  const { scope } = useView();
  const { hues } = scope.state.is;
  const ways = [
    [true, "hues", "a colour for each word"],
    [false, "sum", "one map: the words summed"],
  ] as const;
  return (
    <div class="as-segments as-hues" role="group" aria-label="several words">
      {ways.map(([way, text, does]) => (
        <button
          key={text}
          type="button"
          aria-pressed={hues.value === way}
          disabled={way && count > MOST_HUES}
          title={way && count > MOST_HUES ? too_many() : does}
          onClick={() => scope.state.set({ hues: way })}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

function WordChip({ chip, pinned, contest }: { chip: Chip; pinned: boolean; contest: boolean }) {
  const view = useView();
  const { painter } = view;
  const root = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const row = root.current as HTMLButtonElement;
    const { first, columns } = chip;
    const fill = row.querySelector<HTMLElement>(".as-chip-bar") as HTMLElement;
    const target = { first, columns, fill, value: fill, row };
    painter.chip_bars.set(first, target);
    painter.schedule();
    return () => {
      if (painter.chip_bars.get(first) === target) painter.chip_bars.delete(first);
    };
  }, [painter, chip]);
  useLayoutEffect(() => {
    if (pinned) show_in(root.current as HTMLElement);
  }, [pinned]);
  const rgb = colour_in(view, chip);
  const own = rgb ?? view.scope.colour_of(chip);
  const dropped = (view.scope.state.is.drop.value as readonly string[]).includes(chip.kind);
  const there = view.scope.other_at.value?.capture ? view.scope.other.value : null;
  const lacking = there && !match_words(view.scope.manifest, there.manifest).has(chip.first);
  return (
    <button
      ref={root}
      type="button"
      class={`as-chip${dropped ? " as-dropped" : ""}${lacking ? " as-lacking" : ""}${chip.place ? ` as-piece-${chip.place}` : ""}`}
      data-token={chip.first}
      data-kind={chip.kind}
      title={
        dropped
          ? `${chip.text} does not count: it is switched off below the picture`
          : chip.text + (lacking ? " is not in the second prompt" : "")
      }
      aria-pressed={pinned}
      onClick={(event) => pick_word(view, chip, event)}
      {...word_hover(view, chip.columns)}
    >
      {/* There without a colour too: chips that grow narrower would slide under the pointer. */}
      {chip.kind === "prompt" && chip.place !== "inner" && (
        <span
          class={`as-swatch${rgb || contest ? "" : " as-none"}`}
          style={own ? { background: css(own) } : {}}
          aria-hidden="true"
        />
      )}
      <span class="as-word">{chip.text}</span>
      <span class="as-chip-bar" style={rgb ? { background: css(rgb) } : {}} />
    </button>
  );
}

/** Scrolls the chips, and never the page around the widget. */
function show_in(chip: HTMLElement): void {
  const list = chip.parentElement as HTMLElement;
  const [inside, box] = [chip.getBoundingClientRect(), list.getBoundingClientRect()];
  if (inside.top < box.top) list.scrollTop -= box.top - inside.top + 4;
  else if (inside.bottom > box.bottom) list.scrollTop += inside.bottom - box.bottom + 4;
  if (inside.left < box.left) list.scrollLeft -= box.left - inside.left + 4;
  else if (inside.right > box.right) list.scrollLeft += inside.right - box.right + 4;
}
