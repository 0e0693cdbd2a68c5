import { describe, expect, it } from "vitest";
import { KEYS } from "../src/keyboard.ts";
import { describe_map, whereabouts } from "../src/paint/describing.ts";

describe("maps in words", () => {
  it("say where the peak is, in thirds", () => {
    const words = [0, 4, 8].map((y) => [0, 3, 6].map((x) => whereabouts(y, x, 9, 7)));
    expect(words).toEqual([
      ["upper left", "upper", "upper right"],
      ["left", "in the middle", "right"],
      ["lower left", "lower", "lower right"],
    ]);
    expect(whereabouts(0, 0, 1, 1)).toBe("in the middle");
  });

  it("say the peak and its spread, what is constant and what is no number", () => {
    const map = Float32Array.of(0.5, 0.25, 0, 0, 0, 0.25);
    expect(describe_map(map, 2, 3)).toBe("peak 0.5 upper left, 50 % of the mass in 17 % of the pixels");
    expect(describe_map(Float32Array.of(0.25, 0.25, 0.25), 1, 3)).toBe("constant 0.25");
    expect(describe_map(Float32Array.of(Number.NaN, 1, 0, Number.NaN), 2, 2)).toBe(
      "peak 1 upper right, 50 % of the mass in 50 % of the pixels, 2 cells are not a number",
    );
    expect(describe_map(Float32Array.of(Number.NaN), 1, 1)).toBe("no cell is a number");
  });
});

describe("the table of keys", () => {
  const rows = KEYS.flatMap(([, keys]) => keys);

  it("gives no key to two, and says what each does", () => {
    const keys = rows.flatMap(({ run }) => Object.keys(run));
    expect(keys.length).toBe(new Set(keys).size);
    expect(rows.every(({ named, does }) => named && does)).toBe(true);
  });

  it("has the whole map", () => {
    const keys = new Set(rows.flatMap(({ run }) => Object.keys(run)));
    const wanted = [..."jkhl[]\\,.<>trmnNcvspbdxeyfw/?o0123456789 ", "Backspace", "Escape", "Home", "End"];
    expect(wanted.filter((key) => !keys.has(key))).toEqual([]);
  });
});
