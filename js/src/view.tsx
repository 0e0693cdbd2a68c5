/** One view of a scope: its root element, its hover, its painter; unmounted without a trace. */

import { effect, type Signal, signal } from "@preact/signals";
import { render } from "preact";
import { announce } from "./announce.ts";
import { blink } from "./commands.ts";
import { dress } from "./dressing.ts";
import { on_key, on_key_up } from "./keyboard.ts";
import { describe, type PinTable, table_at_pin } from "./paint/describing.ts";
import { Painter } from "./paint/painter.ts";
import { App } from "./parts/App.tsx";
import { ErrorCard } from "./parts/ErrorCard.tsx";
import { keep_tab_stops } from "./roving.ts";
import type { Player } from "./scope/player.ts";
import type { Scope } from "./scope/scope.ts";
import { TRAITS } from "./scope/state.ts";
import { apply_theme, watch_host } from "./theme.ts";
import type { UV } from "./wire/protocol.ts";

/** What is told to screen readers waits until nothing has moved for so long. */
const SETTLED_MS = 400;
const NOTE_MS = 4000;

export type Breadth = "wide" | "medium" | "stacked" | "narrow";

export const breadth_of = (width: number): Breadth =>
  width >= 960 ? "wide" : width >= 720 ? "medium" : width >= 560 ? "stacked" : "narrow";

export class View {
  readonly painter: Painter;
  readonly breadth: Signal<Breadth>;
  /** Counts what the transport told; parts that show its state read this. */
  readonly news = signal(0);
  readonly help = signal(false);
  /** The export dialog, and the tray of pins. */
  readonly leaving = signal<boolean | "pins">(false);
  readonly tray = signal(false);
  /** The layer this view came back from; the trait `layer` has a value before anything was opened. */
  readonly visited = signal<string | null>(null);
  /** The last pixels whose self-attention was looked at. */
  readonly trail = signal<readonly UV[]>([]);
  /** Words are shown as the pieces that the tokenizer made of them. */
  readonly pieces = signal(false);
  /** Letters of the words that are looked for; null where nobody looks. */
  readonly letters = signal<string | null>(null);
  /** One word more was asked for than there are colours. */
  readonly refused = signal(false);
  /** Said politely to screen readers. */
  readonly said = signal("");
  /** Shown for a while: why a key did nothing, or what it did that one may not see. */
  readonly note = signal("");
  readonly at_pin = signal<PinTable | null>(null);
  /** Something of ours broke: shown, never swallowed. */
  readonly broken = signal<Error | null>(null);
  #to_say = new Map<string, string>();
  #timers: Partial<Record<"say" | "note" | "settle", ReturnType<typeof setTimeout>>> = {};

  constructor(
    readonly scope: Scope,
    readonly root: HTMLElement,
    readonly signal: AbortSignal,
  ) {
    this.breadth = signal_of_width(root, signal);
    this.painter = new Painter(
      scope,
      root,
      (error) => (this.broken.value = error),
      () => this.#later("settle", SETTLED_MS, () => this.#settle()),
    );
  }

  get player(): Player {
    return this.scope.player;
  }

  #later(what: "say" | "note" | "settle", ms: number, run: () => void): void {
    clearTimeout(this.#timers[what]);
    this.#timers[what] = setTimeout(run, ms);
  }

  /** Of each topic the last that was said. */
  say(text: string, topic = ""): void {
    this.#to_say.set(topic, text);
    this.#later("say", SETTLED_MS, () => {
      this.said.value = [...this.#to_say.values()].join("; ");
      this.#to_say.clear();
    });
  }

  /** Says it, and shows it too. */
  tell(text: string): void {
    this.say(text);
    this.note.value = text;
    this.#later("note", NOTE_MS, () => (this.note.value = ""));
  }

  #settle(): void {
    const { painter, root } = this;
    const { hover } = painter;
    keep_tab_stops(root);
    if (hover.uv || hover.tile || hover.columns) return;
    describe(painter);
    this.at_pin.value = table_at_pin(painter, painter.frame());
  }

  /** Before what has the focus goes: it would fall to the page around, whose keys delete cells. */
  hold_focus(): void {
    this.root.focus({ preventScroll: true });
  }

  attach(): void {
    const { scope, painter, signal } = this;
    scope.views += 1;
    const stops = [
      effect(() => {
        for (const picture of scope.facts.value.pictures) {
          picture.then(
            () => painter.schedule(),
            (error: Error) => {
              this.broken.value = new Error(`the picture cannot be decoded: ${error.message}`);
            },
          );
        }
      }),
      scope.transport.listen(() => {
        this.news.value += 1;
        painter.schedule();
      }),
      effect(() => {
        for (const name of TRAITS) scope.state.is[name].value;
        const at = scope.at.value;
        if (at.level !== "unet") this.visited.value = at.layer.layer;
        this.news.value; // what is visible depends on what has come
        scope.transport.want(this, scope.visible(at), scope.upcoming(at, this.player.direction));
        painter.schedule();
      }),
      announce(this),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
      for (const timer of Object.values(this.#timers)) clearTimeout(timer);
      scope.views -= 1;
      if (scope.views === 0) this.player.stop();
      painter.stop();
      scope.transport.forget(this);
    });
  }
}

function signal_of_width(root: HTMLElement, abort: AbortSignal): Signal<Breadth> {
  const breadth = signal<Breadth>(breadth_of(root.parentElement?.clientWidth || 1000));
  const observer = new ResizeObserver(([entry]) => {
    const width = entry?.contentRect.width ?? 0;
    dress(root); // it may have come into another root
    if (width > 0) breadth.value = breadth_of(width);
  });
  observer.observe(root);
  abort.addEventListener("abort", () => observer.disconnect());
  return breadth;
}

/** Elsewhere than a moment ago: the tile that has the focus or the pointer may be gone. Runs before it goes. */
function follow_place(view: View): () => void {
  const { root, painter, scope } = view;
  const { level, layer, head } = scope.state.is;
  let was: (string | null)[] = [];
  return effect(() => {
    const now = [level.value, layer.value];
    head.value;
    if (painter.hover.tile) painter.hover.tile = painter.hover.uv = null;
    const focused = root.querySelector(".as-sites :focus, .as-crumbs :focus");
    const stays = focused?.matches("select")
      ? now[0] === "layer"
      : now.join() === was.join() ||
        (now[0] !== "unet" && now[1] === was[1] && focused?.matches("[data-head]")) ||
        (now[0] === was[0] && beside(focused)?.some((tile) => tile.dataset.block === now[1]));
    if (focused && !stays) view.hold_focus();
    was = now;
  });
}

/** The blocks of one transformer stay while one goes along them. */
const beside = (focused: Element | null): HTMLElement[] | undefined =>
  focused ? [...(focused.closest(".as-blocks")?.querySelectorAll<HTMLElement>("[data-block]") ?? [])] : undefined;

export function mount(scope: Scope, el: HTMLElement, outer?: AbortSignal): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  outer?.addEventListener("abort", () => controller.abort(), { signal });

  const root = document.createElement("div");
  root.className = "attnscope";
  root.tabIndex = 0;
  // Not an application: its sentences and tables are read like any text, and its grids and sliders take the keys by themselves.
  root.setAttribute("role", "region");
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab: our keys are not its own
  root.dataset.painted = "0";
  el.append(root);
  dress(root);

  const view = new View(scope, root, signal);
  watch_host(document, signal, () => apply_theme(root, scope.state.is.theme.peek()));
  const stops = [
    effect(() => apply_theme(root, scope.state.is.theme.value)),
    effect(() => {
      const { title, width, height, live, steps } = scope.manifest;
      root.setAttribute("aria-label", `attention scope: ${title}`);
      root.style.setProperty("--as-ratio", String(width / height));
      // All of the page goes with the steps, and one button with the end of the run.
      if (root.querySelector(steps.length ? (live ? "empty" : ".as-follow:focus") : ":focus")) view.hold_focus();
    }),
    effect(() => {
      const { level, kind } = scope.at.value;
      Object.assign(root.dataset, { level, kind });
    }),
    effect(() => void (root.dataset.breadth = view.breadth.value)),
    follow_place(view),
  ];
  root.addEventListener("keydown", (event) => on_key(view, event), { signal });
  root.addEventListener("keyup", (event) => on_key_up(view, event), { signal });
  const let_go = () => blink(view, false);
  root.addEventListener("focusout", let_go, { signal });
  window.addEventListener("blur", let_go, { signal });
  render(<App view={view} />, root);
  view.attach();

  signal.addEventListener("abort", () => {
    for (const stop of stops) stop();
    render(null, root);
    root.remove();
  });
  return () => controller.abort();
}

/** Nothing could be made: say why, in the place where the scope would be. */
export function show_failure(el: HTMLElement, failure: unknown): void {
  const root = document.createElement("div");
  root.className = "attnscope";
  el.append(root);
  dress(root);
  apply_theme(root, "auto");
  const error = failure instanceof Error ? failure : new Error(String(failure ?? "the widget was not initialised"));
  render(<ErrorCard text={error.message} trace={error.stack} />, root);
}
