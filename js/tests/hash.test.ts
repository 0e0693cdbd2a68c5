/** The state in an address, and what anybody may write there; pins and the state as Python. */

import { describe, expect, it } from "vitest";
import { checked } from "../src/scope/checks.ts";
import { keep_in_hash, read_hash, write_hash } from "../src/scope/hash.ts";
import { moved, pin_of, restored, VIEW_TRAITS } from "../src/scope/pins.ts";
import { python, state_code } from "../src/scope/python.ts";
import { DEFAULTS, TRAITS, type Traits } from "../src/scope/state.ts";
import type { Manifest, Model } from "../src/wire/protocol.ts";
import { synthetic } from "./captures.ts";
import { random } from "./synthetic.ts";

const manifest = synthetic("both").traits._manifest as Manifest;
const pair = synthetic("pair").traits._manifest as Manifest;
const labels = manifest.steps.map(({ step }) => step);

/** Values that each trait can have in the capture `both`. */
const GOOD: { [K in keyof Traits]: Traits[K][] } = {
  level: ["unet", "block", "layer", "head"],
  kind: ["cross", "self"],
  layer: [null, "up.1.0", "mid.0"],
  head: [0, 3, "mean", "max", [0, 3]],
  step: labels,
  token: [null, 0, 3, [], [0], [4, 5]],
  hues: [true, false],
  uv: [null, [0, 0], [1, 0.25]],
  region: [null, [0, 0, 0.5, 1]],
  direction: ["row", "column"],
  image: [0],
  branch: manifest.branches,
  compare: [null, { step: 5 }, { head: "mean", token: null }, { capture: 0, layer: "mid.0" }],
  compare_as: ["side", "swipe", "difference", "blink"],
  scale: ["auto", "own", "shared", "run", "fixed"],
  limits: [null, [0, 0.5], [-1, 7]],
  clip: [
    [0, 100],
    [1, 99],
  ],
  transform: ["linear", "sqrt", "log", "rank", "uniform"],
  drop: [[], ["bos"], ["bos", "pad"]],
  renormalise: [false, true],
  cmap: ["viridis", "cividis", "magma", "gray"],
  diverging: ["RdBu_r", "vik"],
  overlay: [0, 0.5, 1],
  blend: ["colour", "mask", "contour"],
  smooth: [false, true],
  sort: ["index", "entropy", "mass", "similarity"],
  order: ["prompt", "value"],
  fps: [1, 8, 30],
  loop: ["loop", "once", "bounce"],
  span: [null, [0, 10], [5, 5]],
  show_preview: [false, true],
  pins: [[], [{ state: { step: 0, token: null, level: "head" }, note: "“50 %” & <b> #s=" }]],
  theme: ["auto", "light", "dark"],
};

/** What none of them can be, and what one of them cannot. */
const BAD: { [K in keyof Traits]: unknown[] } = {
  level: ["tile", ["unet"]],
  kind: ["joint"],
  layer: ["", "up.9.9", 3],
  head: [-1, 99, 0.5, [1], [3, 0], [0, 0], [0, 99], "min", true],
  step: [1, -5, 2.5, "5"],
  token: [-1, 999, "cat", [0, 0], [999], [[0]]],
  hues: [0, "true"],
  uv: [[0], [0, 2], [0, "0"], [0, null], [Number.NaN, 0]],
  region: [
    [0, 0, 0, 1],
    [0.5, 0, 0.2, 1],
    [0, 0, 1],
    [0, 0, 1, 7],
  ],
  direction: ["diagonal"],
  image: [1, -1, 0.5, "0"],
  branch: ["other", 0],
  compare: [{}, [], { step: 1 }, { theme: "dark" }, { capture: 1 }, JSON.parse('{"__proto__": 1}'), "step"],
  compare_as: ["overlap"],
  scale: ["auto "],
  limits: [[1, 0], [0, 0], [0], [0, "1"], [0, 1e99]],
  clip: [null, [0, 101], [50, 50], [-1, 50]],
  transform: ["exp"],
  drop: [["bos", "bos"], ["prompt"], "bos", null],
  renormalise: [1],
  cmap: ["jet", "__proto__", "constructor"],
  diverging: ["bwr"],
  overlay: [-0.1, 1.1, "1"],
  blend: ["colour; mask"],
  smooth: [null],
  sort: ["best"],
  order: [1],
  fps: [0, 31, 1e9],
  loop: [true],
  span: [[10, 0], [0], [1, 5], ["0", "5"]],
  show_preview: ["yes"],
  pins: [
    {},
    [{ state: null, note: "" }],
    [{ state: {} }],
    [{ state: {}, note: "n".repeat(501) }],
    Array(51).fill({ state: {}, note: "" }),
  ],
  theme: ["sepia"],
};

const rnd = random(5);
const pick = <T>(list: readonly T[]): T => list[Math.floor(rnd() * list.length)] as T;
const some = (from: Record<string, readonly unknown[]>) =>
  Object.fromEntries(TRAITS.map((name) => [name, pick(from[name] as unknown[])])) as unknown as Traits;

describe("an address", () => {
  it("gives back every state that it was made of, and tells only what differs", () => {
    for (let round = 0; round < 300; round++) {
      const [now, own] = [some(GOOD), some(GOOD)];
      const hash = write_hash(now, own);
      expect(hash).toMatch(/^(#s=[\w%.!~*'()-]*)?$/);
      const read = read_hash(hash, manifest);
      expect({ ...own, ...read }).toEqual(now);
      for (const name of TRAITS) expect(name in read).toBe(JSON.stringify(now[name]) !== JSON.stringify(own[name]));
    }
    expect(write_hash(DEFAULTS, DEFAULTS)).toBe("");
  });

  it.each(TRAITS)("cannot say a wrong %s, and the rest of it is still heard", (name) => {
    for (const value of [...BAD[name], {}, "", null, -1e300]) {
      if (GOOD[name].some((good) => JSON.stringify(good) === JSON.stringify(value))) continue;
      const text = JSON.stringify({
        [name]: value,
        [name === "cmap" ? "smooth" : "cmap"]: name === "cmap" ? true : "gray",
      });
      const wrong = JSON.parse(text);
      if (GOOD[name].some((good) => JSON.stringify(good) === JSON.stringify(wrong[name]))) continue; // as JSON it is null
      const read = read_hash(`#s=${encodeURIComponent(text)}`, manifest);
      expect(read).toEqual(name === "cmap" ? { smooth: true } : { cmap: "gray" });
    }
  });

  it.each([
    "",
    "#",
    "#s=",
    "#s=%",
    "#s=%7B",
    "#s=null",
    "#s=[]",
    "#s=%22level%22",
    "#top",
    `#s=${encodeURIComponent('{"__proto__":{"level":"head"},"constructor":1,"toString":2}')}`,
    `#s=${"[".repeat(15_000)}`,
    `#s=${encodeURIComponent(JSON.stringify({ cmap: "gray", x: "y".repeat(20_000) }))}`,
  ])("that is no state (%#) is ignored", (hash) => {
    expect(read_hash(hash, manifest)).toEqual({});
    expect("level" in Object.prototype).toBe(false);
  });

  it("that would be too long leaves the pins out", () => {
    const pins = Array.from({ length: 40 }, () => ({ state: DEFAULTS, note: "a note" }));
    const hash = write_hash({ ...DEFAULTS, pins, step: 5 }, DEFAULTS);
    expect(read_hash(hash, manifest)).toEqual({ step: 5 });
  });

  it("may name the second capture where there is one", () => {
    expect(checked({ compare: { capture: 1, step: 10 } }, { manifest: pair })).toEqual({
      compare: { capture: 1, step: 10 },
    });
  });

  it("of a pin keeps what can be", () => {
    const pins = [{ state: { cmap: "jet", step: 5, pwned: 1 }, note: "" }];
    expect(checked({ pins }, { manifest })).toEqual({ pins: [{ state: { step: 5 }, note: "" }] });
  });
});

describe("a page", () => {
  const make = (hash: string) => {
    const traits: Record<string, unknown> = { ...DEFAULTS, step: 19, _manifest: manifest };
    const model = {
      get: (name: string) => traits[name],
      set: (name: string, value: unknown) => (traits[name] = value),
    };
    let follow = () => {};
    const location = { hash, pathname: "/page.html", search: "?a" };
    const page = {
      location,
      addEventListener: (_: string, run: () => void) => (follow = run),
      history: { replaceState: (_: unknown, __: string, to: string) => (location.hash = to.startsWith("#") ? to : "") },
    };
    keep_in_hash(model as unknown as Model, page as unknown as Window);
    const go = (to: string) => {
      location.hash = to;
      follow();
    };
    return { traits, model: model as unknown as Model, go, location };
  };
  const of = (state: object) => `#s=${encodeURIComponent(JSON.stringify(state))}`;

  it("opens as its address says, follows it, and goes back to its own state", () => {
    const { traits, go } = make(of({ step: 5, cmap: "gray" }));
    expect([traits.step, traits.cmap, traits.level]).toEqual([5, "gray", "unet"]);
    go(of({ level: "head", step: 4711 }));
    expect([traits.step, traits.cmap, traits.level]).toEqual([19, "viridis", "head"]);
    go("#elsewhere");
    expect([traits.step, traits.level]).toEqual([19, "unet"]);
  });

  it("writes its state as it changes, and nothing where it is its own", () => {
    const { model, location } = make("");
    model.set("head", 0);
    model.save_changes();
    expect(location.hash).toBe(of({ head: 0 }));
    model.set("head", "mean");
    model.save_changes();
    expect(location.hash).toBe("");
  });
});

describe("a pin", () => {
  it("brings back all traits that make a view, and no others", () => {
    for (let round = 0; round < 50; round++) {
      const now = some(GOOD);
      const { state } = pin_of(now, "mid.0");
      expect(Object.keys(state)).toEqual(VIEW_TRAITS);
      expect(restored(JSON.parse(JSON.stringify({ state, note: "" })))).toEqual(state);
      expect(state.layer).toBe("mid.0");
    }
    expect(restored({ state: { step: 5, theme: "dark" }, note: "" })).toMatchObject({
      step: 5,
      token: null,
      cmap: "viridis",
    });
    expect(restored({ state: { theme: "dark" }, note: "" })).not.toHaveProperty("theme");
  });

  it("moves among the others", () => {
    const pins = ["a", "b", "c"].map((note) => ({ state: {}, note }));
    const order = (from: number, to: number) =>
      moved(pins, from, to)
        .map(({ note }) => note)
        .join("");
    expect([order(0, 1), order(2, 1), order(0, -1), order(1, 9), order(7, 0)]).toEqual([
      "bac",
      "acb",
      "abc",
      "acb",
      "abc",
    ]);
  });
});

describe("the state as Python", () => {
  it("has Python's names for what is nothing, true and false", () => {
    expect(python({ a: [null, true, false, 0, 0.5, "True \"'\\"] })).toBe(
      '{"a": [None, True, False, 0, 0.5, "True \\"\'\\\\"]}',
    );
  });

  it("says what differs from the defaults, and the step", () => {
    expect(state_code(DEFAULTS)).toBe('scope.state = {"step": 0}');
    expect(state_code({ ...DEFAULTS, step: 19, token: [3, 4], smooth: true, compare: { token: null } })).toBe(
      'scope.state = {"step": 19, "token": [3, 4], "compare": {"token": None}, "smooth": True}',
    );
  });
});
