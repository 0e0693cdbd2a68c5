import { describe, expect, it } from "vitest";
import { DEFAULTS, State, type Timer, TRAITS, type Traits } from "../src/scope/state.ts";
import type { Model } from "../src/wire/protocol.ts";
import { random } from "./synthetic.ts";

/** A model as Python sees it: whatever is set passes through JSON. */
class FakeModel implements Model {
  values: Record<string, unknown> = structuredClone(DEFAULTS) as unknown as Record<string, unknown>;
  saved = 0;
  #listeners = new Map<string, () => void>();
  get = (name: string) => this.values[name];
  set = (name: string, value: unknown) => {
    this.values[name] = JSON.parse(JSON.stringify(value));
  };
  save_changes = () => void this.saved++;
  send = () => {};
  on = (name: string, callback: () => void) => void this.#listeners.set(name, callback);
  off = (name: string) => void this.#listeners.delete(name);
  from_python(changes: Partial<Traits>): void {
    for (const [name, value] of Object.entries(changes)) {
      this.values[name] = JSON.parse(JSON.stringify(value));
      this.#listeners.get(`change:${name}`)?.();
    }
  }
}

class FakeTimer implements Timer {
  run: (() => void) | null = null;
  start = (_ms: number, run: () => void) => void (this.run = run);
  stop = () => void (this.run = null);
  fire = () => this.run?.();
}

function make() {
  const model = new FakeModel();
  const timer = new FakeTimer();
  const state = new State(model, timer);
  const controller = new AbortController();
  state.follow(controller.signal);
  return { model, timer, state, controller };
}

const read = (state: State): Record<string, unknown> =>
  Object.fromEntries(TRAITS.map((name) => [name, state.is[name].peek()]));

const CHOICES: { [K in keyof Traits]: Traits[K][] } = {
  level: ["unet", "block", "layer", "head"],
  kind: ["cross", "self"],
  layer: [null, "up.1.0", "", "mid.0"],
  head: [0, 1, "mean", "max", [0, 3]],
  step: [0, 7, 19],
  token: [null, 0, 3, [], [0], [4, 5]],
  hues: [true, false],
  uv: [null, [0, 0], [1, 0.25]],
  region: [null, [0, 0, 0.5, 1]],
  direction: ["row", "column"],
  image: [0, 2],
  branch: ["cond", "uncond"],
  compare: [null, {}, { step: 0 }, { head: "mean", token: null }, { capture: 0 }],
  compare_as: ["side", "swipe", "difference", "blink"],
  scale: ["auto", "own", "shared", "run", "fixed"],
  limits: [null, [0, 0.5]],
  clip: [
    [0, 100],
    [1, 99],
  ],
  transform: ["linear", "sqrt", "log", "rank", "uniform"],
  drop: [[], ["bos"], ["bos", "pad"]],
  renormalise: [false, true],
  cmap: ["viridis", "gray"],
  diverging: ["RdBu_r", "vik"],
  overlay: [0, 0.5, 1],
  blend: ["colour", "mask", "contour"],
  smooth: [false, true],
  sort: ["index", "entropy", "mass", "similarity"],
  order: ["prompt", "value"],
  fps: [1, 8, 30],
  loop: ["loop", "once", "bounce"],
  span: [null, [0, 7]],
  show_preview: [false, true],
  pins: [[], [{ state: { step: 0, token: null }, note: "" }]],
  theme: ["auto", "dark"],
};

describe("state", () => {
  it("survives any sequence of changes from either side: 0, null, false, '' and [] are values", () => {
    const rnd = random(11);
    const pick = <T>(list: T[]): T => list[Math.floor(rnd() * list.length)] as T;
    const { model, timer, state } = make();
    for (let round = 0; round < 500; round++) {
      const name = pick(TRAITS);
      const changes = { [name]: pick(CHOICES[name] as unknown[]) } as Partial<Traits>;
      if (rnd() < 0.5) {
        state.set(changes);
        timer.fire();
      } else model.from_python(changes);
      expect(read(state)).toEqual(model.values);
      expect(read(new State(model, new FakeTimer()))).toEqual(model.values);
    }
  });

  it("writes once after many changes, and only what changed", () => {
    const { model, timer, state } = make();
    for (let step = 1; step <= 9; step++) state.set({ step });
    expect([model.saved, model.values.step]).toEqual([0, 0]);
    timer.fire();
    expect([model.saved, model.values.step]).toEqual([1, 9]);
    state.set({ step: 9, token: null });
    expect(timer.run).toBeNull();
  });

  it("lets Python's word be the last", () => {
    const { model, timer, state } = make();
    state.set({ step: 5, token: 3 });
    model.from_python({ step: 11 });
    expect(state.is.step.peek()).toBe(11);
    timer.fire();
    expect([model.values.step, model.values.token]).toEqual([11, 3]);
  });

  it("writes nothing while held, and all of it after", () => {
    const { model, timer, state } = make();
    state.hold(true);
    state.set({ step: 4 });
    expect(timer.run).toBeNull();
    state.hold(false);
    timer.fire();
    expect(model.values.step).toBe(4);
  });

  it("follows a run without a word, which the next change brings along", () => {
    const { model, timer, state } = make();
    state.follow_run(5);
    expect([state.is.step.peek(), timer.run, model.saved]).toEqual([5, null, 0]);
    state.set({ token: 3 });
    timer.fire();
    expect([model.saved, model.values.step, model.values.token]).toEqual([1, 5, 3]);
  });

  it("leaves nothing unsaved when it goes", () => {
    const { model, state, controller } = make();
    state.set({ head: 0 });
    controller.abort();
    expect([model.saved, model.values.head]).toEqual([1, 0]);
    model.from_python({ head: 2 });
    expect(state.is.head.peek()).toBe(0);
  });

  it("takes the default where the model does not know a trait", () => {
    const { model } = make();
    delete model.values.overlay;
    expect(new State(model).is.overlay.peek()).toBe(DEFAULTS.overlay);
  });
});
