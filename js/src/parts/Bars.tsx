/** Attention of every word at the pointer, in the prompt's order, so that bars do not jump. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { pick_word } from "../actions.ts";
import { css } from "../maps/luts.ts";
import type { Chip } from "../scope/words.ts";
import { chips_in, colour_in, useView } from "./context.ts";
import { word_hover } from "./pointer.ts";

export function Bars() {
  const view = useView();
  const { painter, scope } = view;
  const drop = scope.state.is.drop.value as readonly string[];
  return (
    <section class="as-bars-pane" aria-label="attention by word">
      <Readout />
      <div class="as-bars">
        {chips_in(view)
          .filter((chip) => !drop.includes(chip.kind))
          .map((chip) => (
            <Bar key={chip.first} chip={chip} />
          ))}
      </div>
      <p class="as-total">
        <span>Σ</span>
        <span class="as-value" ref={(element) => void (painter.parts.total = element)} />
      </p>
    </section>
  );
}

/** The number at the pointer, where that is, and how the map is spread. */
export function Readout() {
  const { painter, scope } = useView();
  const { parts } = painter;
  return (
    <>
      <p class="as-readout">
        <span class="as-readout-value" ref={(element) => void (parts.readout_value = element)} />
        <span class="as-readout-where" ref={(element) => void (parts.readout_where = element)} />
      </p>
      {scope.at.value.level === "head" && (
        <p class="as-concentration" ref={(element) => void (parts.concentration = element)} />
      )}
    </>
  );
}

function Bar({ chip }: { chip: Chip }) {
  const view = useView();
  const { painter } = view;
  const row = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = row.current as HTMLDivElement;
    const find = (selector: string) => element.querySelector<HTMLElement>(selector) as HTMLElement;
    const { first, columns } = chip;
    painter.bars.set(first, {
      first,
      columns,
      fill: find(".as-fill"),
      value: find(".as-value"),
      row: element,
      tick: find(".as-tick"),
      strip: element.querySelector<HTMLCanvasElement>(".as-strip-row"),
    });
    painter.schedule();
    return () => void painter.bars.delete(first);
  }, [painter, chip]);
  const rgb = colour_in(view, chip);
  return (
    // The chips below are the same words with a keyboard; a second tab stop per word would be in the way.
    // biome-ignore lint/a11y/noStaticElementInteractions: as above
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <div
      ref={row}
      class="as-bar"
      data-token={chip.first}
      data-kind={chip.kind}
      onClick={(event) => pick_word(view, chip, event)}
      {...word_hover(view, chip.columns)}
    >
      <span class="as-word" title={chip.text}>
        {chip.text}
      </span>
      <span class="as-track">
        <span class="as-fill" style={rgb ? { background: css(rgb) } : {}} />
        <span class="as-tick" />
      </span>
      <canvas class="as-strip-row" width="1" height="1" title="this word at every step, at the pinned pixel" />
      <span class="as-value" />
    </div>
  );
}
