/**
 * What is selected and how it is drawn: one signal per trait, shared by all views of a model.
 *
 * Changes from the page reach the model 120 ms after the last of them; changes from Python are applied at once.
 */

import { batch, type Signal, signal } from "@preact/signals";
import type { ColourMap, DivergingMap } from "../maps/luts.ts";
import type {
  Blend,
  Direction,
  Head,
  Kind,
  Level,
  Model,
  Region,
  Scale,
  Sort,
  Theme,
  Token,
  Transform,
  UV,
} from "../wire/protocol.ts";

/** B is A with these coordinates changed. */
export interface Compare {
  step?: number;
  head?: Head;
  layer?: string;
  token?: Token;
  branch?: string;
  image?: number;
  direction?: Direction;
  /** 1: the second capture, in which words are found by name. */
  capture?: 0 | 1;
}

export interface Pin {
  state: Partial<Traits>;
  note: string;
}

export type CompareAs = "side" | "swipe" | "difference" | "blink";
export type Special = "bos" | "eos" | "pad";

export interface Traits {
  level: Level;
  kind: Kind;
  layer: string | null;
  head: Head;
  step: number;
  token: Token;
  /** Several words each in a colour of its own, or summed. */
  hues: boolean;
  uv: UV | null;
  region: Region | null;
  direction: Direction;
  image: number;
  branch: string;
  compare: Compare | null;
  compare_as: CompareAs;
  scale: Scale;
  /** Of the scale "fixed". */
  limits: readonly [number, number] | null;
  /** Percentiles between which the other scales run. */
  clip: readonly [number, number];
  transform: Transform;
  /** Kinds of tokens that do not count. */
  drop: readonly Special[];
  renormalise: boolean;
  cmap: ColourMap;
  diverging: DivergingMap;
  overlay: number;
  blend: Blend;
  smooth: boolean;
  sort: Sort;
  order: "prompt" | "value";
  fps: number;
  loop: "loop" | "once" | "bounce";
  span: readonly [number, number] | null;
  show_preview: boolean;
  pins: readonly Pin[];
  theme: Theme;
}

export const DEFAULTS: Traits = {
  level: "unet",
  kind: "cross",
  layer: null,
  head: "mean",
  step: 0,
  token: null,
  hues: true,
  uv: null,
  region: null,
  direction: "row",
  image: 0,
  branch: "cond",
  compare: null,
  compare_as: "side",
  scale: "auto",
  limits: null,
  clip: [0, 100],
  transform: "linear",
  drop: [],
  renormalise: false,
  cmap: "viridis",
  diverging: "RdBu_r",
  overlay: 0.7,
  blend: "colour",
  smooth: false,
  sort: "index",
  order: "prompt",
  fps: 8,
  loop: "loop",
  span: null,
  show_preview: false,
  pins: [],
  theme: "auto",
};

export const TRAITS = Object.keys(DEFAULTS) as (keyof Traits)[];
const DEBOUNCE_MS = 120;

export type Signals = { readonly [K in keyof Traits]: Signal<Traits[K]> };

export interface Timer {
  start(ms: number, run: () => void): void;
  stop(): void;
}

export function timer(): Timer {
  let id: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(id);
  return {
    start: (ms, run) => {
      stop();
      id = setTimeout(run, ms);
    },
    stop,
  };
}

/** null, 0 and [] are values of their own; only what the model does not know at all takes the default. */
function read<K extends keyof Traits>(model: Model, name: K): Traits[K] {
  const value = model.get(name);
  return value === undefined ? DEFAULTS[name] : (value as Traits[K]);
}

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

export class State {
  readonly is: Signals;
  #dirty = new Set<keyof Traits>();
  #held = false;

  constructor(
    readonly model: Model,
    readonly debounce: Timer = timer(),
  ) {
    const is: Partial<Record<keyof Traits, Signal<unknown>>> = {};
    for (const name of TRAITS) is[name] = signal(read(model, name));
    this.is = is as Signals;
  }

  /** Follows the model until `signal` aborts. */
  follow(signal: AbortSignal): void {
    const listeners = TRAITS.map((name) => [`change:${name}`, () => this.#receive(name)] as const);
    for (const [event, listener] of listeners) this.model.on(event, listener);
    signal.addEventListener("abort", () => {
      for (const [event, listener] of listeners) this.model.off(event, listener);
      this.flush();
    });
  }

  #receive<K extends keyof Traits>(name: K): void {
    const value = read(this.model, name);
    if (same(value, this.is[name].peek())) return;
    this.#dirty.delete(name); // Python spoke last
    (this.is[name] as Signal<Traits[K]>).value = value;
  }

  set(changes: Partial<Traits>): void {
    batch(() => {
      for (const name of Object.keys(changes) as (keyof Traits)[]) {
        const value = changes[name];
        if (value === undefined || same(value, this.is[name].peek())) continue;
        (this.is[name] as Signal<unknown>).value = value;
        this.#dirty.add(name);
      }
    });
    if (this.#dirty.size && !this.#held) this.debounce.start(DEBOUNCE_MS, () => this.flush());
  }

  /** Follows a run: Python goes to the same step by itself. */
  follow_run(step: number): void {
    this.is.step.value = step;
    this.model.set("step", step); // told with the next change, or at the end
  }

  /** While playing, nothing is written: Python hears of the step at which it stopped. */
  hold(held: boolean): void {
    this.#held = held;
    if (held) this.debounce.stop();
    else if (this.#dirty.size) this.debounce.start(DEBOUNCE_MS, () => this.flush());
  }

  flush(): void {
    this.debounce.stop();
    if (this.#dirty.size === 0) return;
    for (const name of this.#dirty) this.model.set(name, this.is[name].peek());
    this.#dirty.clear();
    this.model.save_changes();
  }
}
