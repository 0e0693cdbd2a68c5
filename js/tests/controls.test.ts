/** Playback with a clock of our own, words in pieces, the line of steps, and the ends of the colours. */

import { describe, expect, it } from "vitest";
import { axis_of, moved_limits, skyline } from "../src/paint/histogram.ts";
import { moved_span } from "../src/parts/Span.tsx";
import { labelled, nearest, stretches, target_of } from "../src/scope/axis.ts";
import { next_of, Player, range_of } from "../src/scope/player.ts";
import type { Scope } from "../src/scope/scope.ts";
import { DEFAULTS, State, type Timer, type Traits } from "../src/scope/state.ts";
import { chips, found, pieces } from "../src/scope/words.ts";
import type { Model } from "../src/wire/protocol.ts";
import { synthetic } from "./captures.ts";

const STEPS = [0, 4, 5, 9, 14].map((step) => ({ step }));

class FakeClock implements Timer {
  run: (() => void) | null = null;
  ms = 0;
  start = (ms: number, run: () => void) => {
    this.ms = ms;
    this.run = run;
  };
  stop = () => void (this.run = null);
  tick = () => this.run?.();
}

/** A scope of five steps, of which some are not here yet. */
function make(traits: Partial<Traits> = {}) {
  const values: Record<string, unknown> = { ...DEFAULTS, step: 0, ...traits };
  const saved: unknown[] = [];
  const model = { get: (name: string) => values[name], set: () => {}, save_changes: () => saved.push(0) };
  const state = new State(model as unknown as Model, { start: (_, run) => run(), stop: () => {} });
  const lacking = new Set<number>();
  const failures = new Map<string, unknown>();
  const wanted: string[] = [];
  /** What is of no step. */
  const always: { id: string }[] = [];
  const scope = {
    state,
    manifest: { steps: STEPS },
    at: { peek: () => ({ index: STEPS.findIndex(({ step }) => step === state.is.step.peek()) }) },
    visible: (_: unknown, step = state.is.step.peek()) => [{ id: String(step) }, ...always],
    transport: {
      has: (id: string) => !lacking.has(Number(id)),
      failures,
      want: (_: unknown, items: { id: string }[]) => wanted.push(...items.map(({ id }) => id)),
      forget: () => {},
    },
  };
  const clock = new FakeClock();
  const player = new Player(scope as unknown as Scope, clock);
  const walk = (ticks: number) =>
    Array.from({ length: ticks }, () => {
      clock.tick();
      return state.is.step.peek();
    });
  return { state, player, clock, lacking, failures, wanted, always, walk, saved };
}

describe("playback", () => {
  it("begins anew after the last step", () => {
    const { player, clock, walk } = make({ step: 9, fps: 4 });
    player.start();
    expect(clock.ms).toBe(250);
    expect(walk(3)).toEqual([14, 0, 4]);
  });

  it("ends where it is played once, and begins at the first when played again", () => {
    const { player, state, walk } = make({ step: 9, loop: "once" });
    player.start();
    expect(walk(2)).toEqual([14, 14]);
    expect(player.playing.value).toBe(false);
    player.start();
    expect(state.is.step.peek()).toBe(0);
  });

  it("turns at both ends", () => {
    const { player, walk } = make({ step: 9, loop: "bounce" });
    player.start();
    expect(walk(7)).toEqual([14, 9, 5, 4, 0, 4, 5]);
  });

  it("stays in its span, and goes into it from outside", () => {
    const { player, walk } = make({ step: 14, span: [3, 9] });
    player.start();
    expect(walk(4)).toEqual([4, 5, 9, 4]);
  });

  it("a span of one step, or of none, plays nothing or all", () => {
    const { player } = make({ span: [9, 9] });
    player.start();
    expect(player.playing.value).toBe(false);
    expect(range_of(STEPS, [6, 8])).toEqual([0, 4]);
    expect(range_of(STEPS, [-3, 99])).toEqual([0, 4]);
    expect(next_of({ index: 2, direction: 1 }, [2, 2], "bounce")).toBe(null);
  });

  it("the clock stands still until all of the next step is here", () => {
    const { player, clock, lacking, wanted, walk } = make();
    lacking.add(4);
    player.start();
    expect(walk(3)).toEqual([0, 0, 0]);
    expect([player.awaited.value, clock.ms, new Set(wanted)]).toEqual([4, 25, new Set(["4"])]);
    lacking.delete(4);
    expect(walk(1)).toEqual([4]);
    expect([player.awaited.value, clock.ms]).toEqual([null, 125]);
  });

  it("stops at what cannot come", () => {
    const { player, lacking, failures, walk } = make();
    lacking.add(4);
    failures.set("4", {});
    player.start();
    expect(walk(1)).toEqual([4]);
    expect(player.playing.value).toBe(false);
  });

  it("goes on without what no step can have", () => {
    const { player, lacking, failures, always, walk } = make();
    always.push({ id: "range" });
    lacking.add(Number("range"));
    failures.set("range", {});
    player.start();
    expect(walk(2)).toEqual([4, 5]);
    expect(player.playing.value).toBe(true);
  });

  it("tells Python of the step at which it stops, and of none before", () => {
    const { player, walk, saved } = make();
    player.start();
    walk(3);
    expect(saved.length).toBe(0);
    player.stop();
    expect(saved.length).toBe(1);
  });
});

describe("the line of steps", () => {
  it("has a place for every step of the run, and says what is between those captured", () => {
    expect(stretches(STEPS.slice(1), [0, 15])).toEqual([
      { step: 0, length: 4, index: null },
      { step: 4, length: 1, index: 0 },
      { step: 5, length: 1, index: 1 },
      { step: 6, length: 3, index: null },
      { step: 9, length: 1, index: 2 },
      { step: 10, length: 4, index: null },
      { step: 14, length: 1, index: 3 },
      { step: 15, length: 1, index: null },
    ]);
    expect(nearest(STEPS, 8)).toBe(3);
  });

  it("writes round numbers, the last, and none over another", () => {
    const twenty = Array.from({ length: 20 }, (_, step) => ({ step }));
    expect(labelled(twenty, [0, 19], 9)).toEqual([0, 5, 10, 15, 19]);
    expect(labelled(STEPS, [0, 19], 9).map((i) => STEPS[i]?.step)).toEqual([0, 4, 9, 14]);
    expect(labelled([{ step: 5 }], [5, 5], 4)).toEqual([0]);
  });

  it("has a slider's keys", () => {
    const keys = ["ArrowLeft", "ArrowUp", "PageUp", "PageDown", "Home", "End", "x"];
    expect(keys.map((key) => target_of(key, 3, 31))).toEqual([2, 4, 6, 0, 0, 30, null]);
    expect(target_of("ArrowRight", 4, 5)).toBe(4);
  });

  it("ends of a span do not pass each other, and all steps are no span", () => {
    expect(moved_span(STEPS, [0, 4], 0, 2)).toEqual([5, 14]);
    expect(moved_span(STEPS, [2, 3], 0, 4)).toEqual([9, 9]);
    expect(moved_span(STEPS, [2, 3], 1, 0)).toEqual([5, 5]);
    expect(moved_span(STEPS, [1, 4], 0, 0)).toBe(null);
  });
});

describe("words", () => {
  const { manifest } = synthetic("quick");
  it("come apart into their pieces, each with its own column; special tokens stay as they are", () => {
    const all = chips(manifest);
    const apart = pieces(manifest, all);
    expect(apart.length).toBe(all.length + 1);
    expect(apart.filter(({ place }) => place).map(({ text, columns, place }) => [text, columns, place])).toEqual([
      ["sq", [7], "first"],
      ["uare", [8], "inner"],
    ]);
    expect(apart.flatMap(({ columns }) => columns)).toEqual(all.flatMap(({ columns }) => columns));
  });
  it("are found by some of their letters, in any case", () => {
    expect(found(chips(manifest), " RE ").map(({ text }) => text)).toEqual(["red", "square"]);
  });
});

describe("the ends of the colours", () => {
  const maps = [Float32Array.of(0.1, 0.4), Float32Array.of(0.2, Number.NaN)];
  it("lie on a bar over all values and the limits, from nothing or the floor of the logarithm", () => {
    expect(axis_of(maps, { lo: 0.1, hi: 0.3 }, "linear").hi).toBeCloseTo(0.4);
    expect(axis_of(maps, { lo: 0.1, hi: 0.9 }, "linear")).toEqual({ lo: 0, hi: 0.9 });
    expect(axis_of(maps, { lo: 0.1, hi: 0.9 }, "log").lo).toBe(1e-4);
  });
  it("move one at a time, in the transform that is shown, and never pass each other", () => {
    const axis = { lo: 0, hi: 0.8 };
    const limits = { lo: 0.2, hi: 0.4 };
    expect(moved_limits(1, 0.75, limits, axis, "linear")).toEqual([0.2, 0.6]);
    expect(moved_limits(0, 0.5, limits, axis, "sqrt")[0]).toBeCloseTo(0.2);
    expect(moved_limits(0, -3, limits, axis, "linear")).toEqual([0, 0.4]);
    const [lo, hi] = moved_limits(0, 0.9, limits, axis, "linear");
    expect([lo < hi, hi]).toEqual([true, 0.4]);
    const [low, high] = moved_limits(1, 0, limits, axis, "linear");
    expect([low, low < high]).toEqual([0.2, true]);
  });
  it("stand over a skyline of the counts", () => {
    expect(skyline([0, 4, 1])).toBe("M0 1V1.00h1V0.00h1V0.50h1V1Z");
    expect(skyline([0, 0])).toBe("M0 1V1.00h1V1.00h1V1Z");
  });
});
