/** One view of a scope: its root element, its hover, its painter; unmounted without a trace. */

import { effect, type Signal, signal } from "@preact/signals";
import { render } from "preact";
import { dress } from "./dressing.ts";
import { on_key } from "./keyboard.ts";
import { Painter } from "./paint/painter.ts";
import { App } from "./parts/App.tsx";
import { ErrorCard } from "./parts/ErrorCard.tsx";
import type { Player } from "./scope/player.ts";
import type { Scope } from "./scope/scope.ts";
import { TRAITS } from "./scope/state.ts";
import { apply_theme, watch_host } from "./theme.ts";
import type { UV } from "./wire/protocol.ts";

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
  /** Something of ours broke: shown, never swallowed. */
  readonly broken = signal<Error | null>(null);
  #saying: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly scope: Scope,
    readonly root: HTMLElement,
    readonly signal: AbortSignal,
  ) {
    this.breadth = signal_of_width(root, signal);
    this.painter = new Painter(scope, root, (error) => (this.broken.value = error));
  }

  get player(): Player {
    return this.scope.player;
  }

  say(text: string): void {
    clearTimeout(this.#saying);
    this.#saying = setTimeout(() => (this.said.value = text), 400);
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
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
      clearTimeout(this.#saying);
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
  root.setAttribute("role", "application");
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
