/** Values and limits of what is on screen, without a page. */

import { expect, it } from "vitest";
import type { Field } from "../src/maps/fields.ts";
import type { Frame } from "../src/paint/frame.ts";
import { type Ends, locked_limits } from "../src/paint/limits.ts";
import { MapValues } from "../src/paint/values.ts";
import { facts_of } from "../src/scope/facts.ts";
import { type At, resolve_other } from "../src/scope/selection.ts";
import { DEFAULTS } from "../src/scope/state.ts";
import { positions } from "../src/scope/words.ts";
import type { Manifest } from "../src/wire/protocol.ts";
import { synthetic } from "./captures.ts";

const NAN = Number.NaN;
const chips = (...columns: number[]) => columns.map((column) => ({ columns: [column] }));

it("the strongest word is one of the prompt that the map is of, and cells without one are counted", () => {
  const data = Float32Array.of(0.1, 0.1, NAN, 0.3, 0.2, NAN, 0.2, 0.5, NAN); // [token, 1, 3]
  const field: Field = { data, offset: 0, height: 1, width: 3, tokens: 3, eight_bit: false, layers: 1 };
  const contenders = [chips(0, 1), chips(2, 1)];
  const scope = { facts_of: ({ capture }: At) => ({ contenders: contenders[capture] }) };
  const frame = { hues: true, transform: "linear", hover: { columns: null }, scope } as unknown as Frame;
  const winners = ([0, 1] as const).map((capture) => {
    const values = new MapValues();
    values.update(field, { kind: "cross", words: [], capture } as unknown as At, frame);
    expect(values.extent?.nan).toBe(1);
    return [...(values.winners ?? [])];
  });
  expect(winners).toEqual([
    [1, 1, 255],
    [1, 0, 255],
  ]);
});

it("the widest range seen is that of this run, and of this direction", () => {
  const run = () => ({ manifest: {} as Manifest });
  const [one, two] = [run(), run()];
  let facts = one;
  const scope = { facts_of: () => facts };
  const own = { locked: true, scale: "own", transform: "linear", clip: [0, 100], renormalise: false, drop: [] };
  const frame = { ...own, hues: false, uv: null, region: null, hover: { columns: null }, scope } as unknown as Frame;
  const widest = (most: number, direction = "row") => {
    const values = new MapValues();
    values.maps = [Float32Array.of(0, most)];
    const at = { kind: "self", capture: 0, image: 0, branch: "cond", direction } as unknown as At;
    const [ends] = locked_limits(frame, at, { layers: ["mid.0"], head: 0 }, values) as readonly Ends[];
    return ends?.hi;
  };
  expect([widest(3), widest(2), widest(1, "column")]).toEqual([3, 3, 1]);
  facts = two;
  expect(widest(1)).toBe(1);
});

it("a word of several pieces is found once in the other prompt", () => {
  const { manifest } = synthetic("pair");
  const of = (capture: Manifest | null) => facts_of({ ...(capture as Manifest), pictures: [] }, null);
  const [here, there] = [of(manifest), of(manifest.other)];
  const square = here.chips.find(({ text }) => text === "square");
  const wanted = { ...DEFAULTS, token: square?.positions ?? [] };
  expect(positions(wanted.token)).toHaveLength(2);
  const at = resolve_other(here, there, wanted, { capture: 1 });
  expect(at?.columns).toEqual(there.chips.find(({ text }) => text === "square")?.columns);
});
