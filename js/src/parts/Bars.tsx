/** Attention of every word at the pointer, in the prompt's order, so that bars do not jump. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { choose } from "../actions.ts";
import { css } from "../maps/luts.ts";
import type { Chip } from "../scope/words.ts";
import { useView } from "./context.ts";
import { word_hover } from "./hovering.ts";

export function Bars() {
  const { painter, scope } = useView();
  const contest = scope.at.value.columns.length === 0;
  return (
    <section class="as-bars-pane" aria-label="attention by word">
      <p class="as-readout">
        <span class="as-readout-value" ref={(element) => void (painter.parts.readout_value = element)} />
        <span class="as-readout-where" ref={(element) => void (painter.parts.readout_where = element)} />
      </p>
      <div class="as-bars">
        {scope.facts.value.chips.map((chip) => (
          <Bar key={chip.first} chip={chip} contest={contest} />
        ))}
      </div>
      <p class="as-total">
        <span>Σ</span>
        <span class="as-value" ref={(element) => void (painter.parts.total = element)} />
      </p>
    </section>
  );
}

function Bar({ chip, contest }: { chip: Chip; contest: boolean }) {
  const view = useView();
  const { painter, scope } = view;
  const row = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = row.current as HTMLDivElement;
    const find = (selector: string) => element.querySelector<HTMLElement>(selector) as HTMLElement;
    const { first, columns } = chip;
    painter.bars.set(first, { first, columns, fill: find(".as-fill"), value: find(".as-value"), row: element });
    painter.schedule();
    return () => void painter.bars.delete(first);
  }, [painter, chip]);
  const rgb = contest ? scope.colour_of(chip) : undefined;
  return (
    // The chips below are the same words with a keyboard; a second tab stop per word would be in the way.
    // biome-ignore lint/a11y/noStaticElementInteractions: as above
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <div
      ref={row}
      class="as-bar"
      data-token={chip.first}
      data-kind={chip.kind}
      onClick={(event) => choose(view, chip, event.shiftKey)}
      {...word_hover(view, chip.columns)}
    >
      <span class="as-word" title={chip.text}>
        {chip.text}
      </span>
      <span class="as-track">
        <span class="as-fill" style={rgb ? { background: css(rgb) } : {}} />
      </span>
      <span class="as-value" />
    </div>
  );
}
