import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { figure, probability, timestep_text } from "../src/maps/numbers.ts";
import { type CodeView, code } from "../src/scope/code.ts";
import { type LegendView, legend } from "../src/scope/legend.ts";

const fixture = <T>(name: string): T[] =>
  JSON.parse(readFileSync(new URL(`../../tests/${name}`, import.meta.url), "utf8"));

describe("the words that Python and TypeScript share", () => {
  it.each(fixture<{ view: LegendView; sentence: string }>("legend_cases.json"))("$sentence", ({ view, sentence }) => {
    expect(legend(view)).toBe(sentence);
  });
  it.each(fixture<{ view: CodeView; code: string }>("code_cases.json"))("$code", (example) => {
    expect(code(example.view)).toBe(example.code);
  });
});

describe("numbers", () => {
  it.each([
    [0, "0"],
    [1, "1"],
    [0.31, "0.31"],
    [0.3125, "0.313"],
    [0.30004, "0.3"],
    [0.0001, "0.0001"],
    [0.00003, "3e-5"],
    [0.0000312, "3.1e-5"],
  ])("figure(%f) is %s", (value, text) => expect(figure(value)).toBe(text));

  it("keeps probabilities in a column and never calls something nothing", () => {
    expect([0, 0.0004, 0.0005, 0.5, 1, Number.NaN].map(probability)).toEqual([
      "0.000",
      "<.001",
      "0.001",
      "0.500",
      "1.000",
      "NaN",
    ]);
  });
  it("writes timesteps as people know them", () => {
    expect([741, 0, 999.9999, 12.34].map(timestep_text)).toEqual(["741", "0", "1000", "12.3"]);
  });
});
