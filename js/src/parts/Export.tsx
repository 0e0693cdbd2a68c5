/** What leaves, and how: a small dialog below its button. */

import { useEffect, useRef, useState } from "preact/hooks";
import { arrived, type Choice, copy_image, download, file, file_name, is_table, table } from "../export/leave.ts";
import type { View } from "../view.tsx";
import { useView } from "./context.ts";
import { copy_text } from "./ErrorCard.tsx";
import { wanted_by_pins } from "./Pins.tsx";

type What = Choice["what"];

const NAMES: Record<What, string> = {
  picture: "picture",
  tiles: "tiles",
  comparison: "A, B, A − B",
  pins: "pins",
  words: "words",
  map: "map",
};

/** What there is to leave with, pictures first. */
function available({ scope, painter }: View): What[] {
  const { at, other_at, state } = scope;
  const there: Record<What, boolean> = {
    picture: true,
    tiles: painter.tiles.size > 0,
    comparison: other_at.value !== null,
    pins: state.is.pins.value.length > 0,
    words: at.value.kind === "cross",
    map: true,
  };
  return (Object.keys(there) as What[]).filter((what) => there[what]);
}

/** What was last chosen in each view. */
const CHOSEN = new WeakMap<View, Choice>();

export function Export() {
  const view = useView();
  const { leaving, scope } = view;
  if (!leaving.value) return null;
  const list = available(view);
  const first: What = scope.other_at.value ? "comparison" : scope.at.value.level === "layer" ? "tiles" : "picture";
  const last = CHOSEN.get(view) ?? { what: first, format: "png", scale: 2 };
  const what = leaving.value === "pins" ? "pins" : list.includes(last.what) ? last.what : first;
  return <Dialog list={list} start={{ ...last, what }} />;
}

function Dialog({ list, start }: { list: What[]; start: Choice }) {
  const view = useView();
  const root = useRef<HTMLDivElement>(null);
  const [choice, set_choice] = useState(start);
  const [said, set_said] = useState("");
  const { what, format, scale } = choice;
  const numbers = is_table(what);
  const choose = (change: Partial<Choice>) => {
    const next = { ...choice, ...change };
    CHOSEN.set(view, next);
    set_choice(next);
    set_said("");
  };
  const close = () => {
    view.hold_focus(); // until it goes back to where it was
    view.leaving.value = false;
  };
  useEffect(() => {
    const before = (view.root.getRootNode() as Document | ShadowRoot).activeElement as HTMLElement | null;
    root.current?.querySelector<HTMLElement>(".as-save")?.focus();
    return () => (before?.isConnected ? before : view.root).focus({ preventScroll: true });
  }, [view]);
  const attempt = async (act: () => Promise<string>) => {
    try {
      set_said(what === "pins" ? "waiting for the maps" : "");
      if (what === "pins") await arrived(view, wanted_by_pins(view.scope));
      set_said(await act());
    } catch (error) {
      set_said((error as Error).message);
    }
  };
  const save = () =>
    attempt(async () => {
      const blob = await file(view, choice);
      download(blob, file_name(view, choice));
      return `saved, ${Math.max(1, Math.round(blob.size / 1000))} kB`;
    });
  const copy = () =>
    attempt(async () => {
      await (is_table(what) ? copy_text(table(view, what)) : copy_image(view, choice));
      return "copied";
    });
  return (
    <>
      <div class="as-veil" aria-hidden="true" onClick={close} />
      <div
        ref={root}
        class="as-export"
        role="dialog"
        aria-modal="true"
        aria-label="export"
        onKeyDown={(event) => keep_keys(event, root.current as HTMLElement, close)}
      >
        <Choices
          label="figure"
          options={list.filter((each) => !is_table(each))}
          now={what}
          name={NAMES}
          choose={(what) => choose({ what })}
        />
        <Choices
          label="table"
          options={list.filter(is_table)}
          now={what}
          name={NAMES}
          choose={(what) => choose({ what })}
        />
        {!numbers && (
          <Choices
            label="format"
            options={["png", "svg"] as const}
            now={format}
            name={{ png: "PNG", svg: "SVG" }}
            choose={(format) => choose({ format })}
          />
        )}
        {!numbers && (
          <Choices
            label="size"
            options={[1, 2, 3, 4]}
            now={scale}
            name={{ 1: "1×", 2: "2×", 3: "3×", 4: "4×" }}
            off={format === "svg"}
            choose={(scale) => choose({ scale })}
          />
        )}
        <p class="as-file">{file_name(view, choice)}</p>
        <div class="as-export-do">
          <button type="button" class="as-save" onClick={save}>
            Save
          </button>
          <button type="button" class="as-copy-out" onClick={copy}>
            {numbers ? "Copy" : "Copy image"}
          </button>
          <button type="button" class="as-close" onClick={close}>
            Close
          </button>
        </div>
        <p class="as-export-said" role="status">
          {said}
        </p>
      </div>
    </>
  );
}

function Choices<T extends string | number>(props: {
  label: string;
  options: readonly T[];
  now: string | number;
  name: Record<T, string>;
  choose: (option: T) => void;
  off?: boolean;
}) {
  const { label, options, now, name, choose, off = false } = props;
  return (
    <div class="as-choice">
      <span>{label}</span>
      <div class="as-segments" role="group" aria-label={label}>
        {options.map((option) => (
          <button
            key={option}
            type="button"
            aria-pressed={now === option}
            disabled={off}
            onClick={() => choose(option)}
          >
            {name[option]}
          </button>
        ))}
      </div>
    </div>
  );
}

/** Tab goes round in the dialog, Esc closes it, and no key of it reaches the scope. */
function keep_keys(event: KeyboardEvent, root: HTMLElement, close: () => void): void {
  event.stopPropagation();
  if (event.key === "Escape") {
    event.preventDefault();
    close();
  }
  if (event.key !== "Tab") return;
  const all = [...root.querySelectorAll<HTMLElement>("button")];
  const [first, last] = [all[0], all[all.length - 1]];
  const from = event.target;
  const to = event.shiftKey && from === first ? last : !event.shiftKey && from === last ? first : null;
  if (!to) return;
  event.preventDefault();
  to.focus();
}
