/** The prompt as chips: hover to look, click to pin, shift-click to add. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { choose, compare } from "../actions.ts";
import { css } from "../maps/luts.ts";
import { type Chip, is_chosen, token_of } from "../scope/words.ts";
import { colour_in, useView } from "./context.ts";
import { word_hover } from "./pointer.ts";

export function Words() {
  const view = useView();
  const { scope } = view;
  const { truncated, tokens_known } = scope.manifest;
  const token = scope.state.is.token.value;
  return (
    <div class="as-words">
      <div class="as-chips" role="group" aria-label="words of the prompt">
        {scope.facts.value.chips.map((chip) => (
          <WordChip
            key={chip.first}
            chip={chip}
            pinned={is_chosen(token, chip)}
            contest={scope.at.value.columns.length === 0}
          />
        ))}
      </div>
      {truncated && <p class="as-note">the tokenizer dropped: {truncated}</p>}
      {!tokens_known && <p class="as-note">the prompt is not known: words are positions in the encoder’s sequence</p>}
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
    painter.chip_bars.set(first, { first, columns, fill, value: fill, row });
    painter.schedule();
    return () => void painter.chip_bars.delete(first);
  }, [painter, chip]);
  const rgb = colour_in(view, chip);
  return (
    <button
      ref={root}
      type="button"
      class="as-chip"
      data-token={chip.first}
      data-kind={chip.kind}
      title={chip.text}
      aria-pressed={pinned}
      onClick={(event) =>
        event.altKey ? compare(view, { token: token_of(chip) }) : choose(view, chip, event.shiftKey)
      }
      {...word_hover(view, chip.columns)}
    >
      {(rgb || (contest && chip.kind === "prompt")) && (
        <span class="as-swatch" style={rgb ? { background: css(rgb) } : {}} aria-hidden="true" />
      )}
      <span class="as-word">{chip.text}</span>
      <span class="as-chip-bar" style={rgb ? { background: css(rgb) } : {}} />
    </button>
  );
}
