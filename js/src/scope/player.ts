/** Playback: the clock moves on only when everything visible at the next step is here. */

import { signal } from "@preact/signals";
import type { Scope } from "./scope.ts";
import { type Timer, type Traits, timer } from "./state.ts";

/** How soon to look again whether what is waited for has come. */
const GATE_MS = 25;

type Direction = 1 | -1;

export interface Next {
  index: number;
  direction: Direction;
}

/** The first and last captured steps, by index, that playback runs over: those in the span, or all where none is. */
export function range_of(steps: readonly { step: number }[], span: Traits["span"]): [first: number, last: number] {
  const whole: [number, number] = [0, Math.max(0, steps.length - 1)];
  if (!span) return whole;
  const first = steps.findIndex(({ step }) => step >= span[0]);
  const last = steps.findLastIndex(({ step }) => step <= span[1]);
  return first < 0 || last < first ? whole : [first, last];
}

/** Where playback goes from here; null where it ends. */
export function next_of(
  { index, direction }: Next,
  [first, last]: readonly [number, number],
  loop: Traits["loop"],
): Next | null {
  if (index < first || index > last) return { index: first, direction: 1 };
  if (first === last) return null;
  const next = index + direction;
  if (next >= first && next <= last) return { index: next, direction };
  if (loop === "loop") return { index: first, direction: 1 };
  return loop === "once" ? null : { index: index - direction, direction: -direction as Direction };
}

export class Player {
  readonly playing = signal(false);
  /** The step that is waited for, where the clock stands still. */
  readonly awaited = signal<number | null>(null);
  direction: Direction = 1;

  constructor(
    readonly scope: Scope,
    readonly clock: Timer = timer(),
  ) {}

  toggle(): void {
    if (this.playing.peek()) this.stop();
    else this.start();
  }

  start(): void {
    const [first, last] = this.#range();
    if (first === last) return;
    this.direction = 1;
    this.scope.state.hold(true);
    this.playing.value = true;
    // At the end there is nothing left to play once.
    if (this.scope.state.is.loop.peek() === "once" && this.scope.at.peek().index >= last) this.go(first);
    this.#wait(this.#frame_ms);
  }

  stop(): void {
    this.clock.stop();
    if (!this.playing.peek()) return;
    this.playing.value = false;
    this.awaited.value = null;
    this.scope.transport.forget(this);
    this.scope.state.hold(false);
  }

  /** By hand: stops playing and goes to the step that many places away. */
  move(by: number): void {
    this.seek(this.scope.at.peek().index + by);
  }

  /** By hand: stops playing and goes there. */
  seek(index: number): void {
    this.stop();
    this.direction = index < this.scope.at.peek().index ? -1 : 1;
    this.go(index);
  }

  go(index: number): void {
    const { steps } = this.scope.manifest;
    const step = steps[Math.min(steps.length - 1, Math.max(0, index))];
    if (step) this.scope.state.set({ step: step.step });
  }

  get #frame_ms(): number {
    return 1000 / this.scope.state.is.fps.peek();
  }

  #range(): [number, number] {
    return range_of(this.scope.manifest.steps, this.scope.state.is.span.peek());
  }

  #wait(ms: number): void {
    this.clock.start(ms, () => this.#tick());
  }

  #tick(): void {
    const { scope } = this;
    const at = scope.at.peek();
    const next = next_of({ index: at.index, direction: this.direction }, this.#range(), scope.state.is.loop.peek());
    if (!next) {
      this.stop();
      return;
    }
    const { step } = scope.manifest.steps[next.index] as { step: number };
    const { failures } = scope.transport;
    // What could not be had for this step either, as the ranges of the run, is not waited for.
    const given_up = new Set(scope.visible(at).flatMap(({ id }) => (failures.has(id) ? [id] : [])));
    const lacking = scope.visible(at, step).filter(({ id }) => !scope.transport.has(id) && !given_up.has(id));
    if (lacking.some(({ id }) => failures.has(id))) {
      this.stop(); // its error card says why
      this.go(next.index);
      return;
    }
    this.awaited.value = lacking.length ? step : null;
    if (lacking.length) {
      scope.transport.want(this, lacking, []);
      this.#wait(GATE_MS);
      return;
    }
    scope.transport.forget(this);
    this.direction = next.direction;
    this.go(next.index);
    this.#wait(this.#frame_ms);
  }
}
