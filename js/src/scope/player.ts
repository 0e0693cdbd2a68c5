/** Playback: the clock moves on only when everything visible at the next step is here. */

import { signal } from "@preact/signals";
import type { Scope } from "./scope.ts";

const FRAME_MS = 125;

export class Player {
  readonly playing = signal(false);
  direction: 1 | -1 = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly scope: Scope) {}

  toggle(): void {
    if (this.playing.peek()) this.stop();
    else this.start();
  }

  start(): void {
    if (this.scope.manifest.steps.length < 2) return;
    this.direction = 1;
    this.playing.value = true;
    this.scope.state.hold(true);
    this.#timer = setTimeout(() => this.#tick(), FRAME_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    if (!this.playing.peek()) return;
    this.playing.value = false;
    this.scope.transport.forget(this);
    this.scope.state.hold(false);
  }

  /** By hand: stops playing and goes to the step that many places away. */
  move(by: number): void {
    this.stop();
    this.direction = by < 0 ? -1 : 1;
    this.go(this.scope.at.peek().index + by);
  }

  go(index: number): void {
    const { steps } = this.scope.manifest;
    const step = steps[Math.min(steps.length - 1, Math.max(0, index))];
    if (step) this.scope.state.set({ step: step.step });
  }

  #tick(): void {
    const { scope } = this;
    const { steps } = scope.manifest;
    const at = scope.at.peek();
    const next = (at.index + 1) % steps.length;
    const step = (steps[next] as { step: number }).step;
    const lacking = scope.visible(at, step).filter(({ id }) => !scope.transport.has(id));
    if (lacking.some(({ id }) => scope.transport.failures.has(id))) {
      this.stop(); // its error card says why
      this.go(next);
      return;
    }
    if (lacking.length === 0) this.go(next);
    else scope.transport.want(this, lacking, []);
    this.#timer = setTimeout(() => this.#tick(), lacking.length ? FRAME_MS / 5 : FRAME_MS);
  }
}
