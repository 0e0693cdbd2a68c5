/** Who cannot see or point: axe at every level, kind, theme and width; what is told to screen readers; forced colours, motion. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Traits } from "../../src/scope/state.ts";
import { live, point, settle, show } from "./pages.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Finding {
  id: string;
  impact: string;
  nodes: { target: string[]; failureSummary: string }[];
}

/** What axe finds serious or critical, in words. */
async function findings(page: Page): Promise<string[]> {
  await page.waitForTimeout(600); // names and tab stops follow when nothing moves
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(root: Document, options: object): Promise<{ violations: Finding[] }> };
    };
    return (await axe.run(document, { rules: { "target-size": { enabled: true } } })).violations;
  });
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary}`));
}

const WIDTHS = [1280, 420];
const LONG = 240_000; // axe looks at everything, many times
const place = { layer: "up.3.1", head: 1, token: 3, uv: [0.5, 0.3] } as const;
const views: [string, Partial<Traits>][] = [
  ["unet", { uv: null, token: null }],
  ["unet", {}],
  ["block", {}],
  ["layer", {}],
  ["head", {}],
  ["head", { compare: { step: 5 } }],
];

describe.each(["light", "dark"] as const)("axe, %s", (theme) => {
  it.each(["cross", "self"] as const)(
    "finds nothing grave in any level of %s-attention",
    async (kind) => {
      for (const [level, traits] of views) {
        const page = await show("both", { ...place, level: level as Traits["level"], kind, theme, ...traits });
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 860 });
          await page.waitForTimeout(500);
          expect([level, kind, width, await findings(page)]).toEqual([level, kind, width, []]);
        }
        await page.context().close();
      }
    },
    LONG,
  );

  it(
    "finds nothing grave in what is not there, in errors and in the list of keys",
    async () => {
      const page = await show("partial", { level: "layer", layer: "up.3.2", token: 2, theme });
      await page.waitForSelector(".as-error");
      expect(await findings(page)).toEqual([]);
      await page.click(".as-crumb >> nth=0");
      await page.click(".as-help-button");
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 860 });
        await settle(page);
        expect(await findings(page)).toEqual([]);
      }
    },
    LONG,
  );
});

describe("what is told", () => {
  const label = (page: Page, selector: string) => page.getAttribute(selector, "aria-label");

  it("of maps: where they peak and how they are spread, once nothing moves", async () => {
    const page = await show("both", { level: "layer", layer: "up.1.0", token: 3 });
    await page.waitForTimeout(700);
    const map = (await label(page, ".as-map")) as string;
    expect(map).toMatch(
      /^up\.1\.0, mean of heads · ‘circle’: peak 0\.\d+ (upper |lower )?(left|right|in the middle|upper|lower)?.*, 50 % of the mass in \d+ % of the pixels$/,
    );
    expect(await label(page, '.as-tile[data-head="1"] canvas')).toMatch(/^‘circle’: peak/);
    for (let i = 0; i < 5; i++) await page.hover('.as-chip[data-token="7"]', { position: { x: 5 + i, y: 9 } });
    expect(await label(page, ".as-map")).toBe(map);
    await page.click('.as-chip[data-token="7"]');
    await page.mouse.move(2, 2);
    await page.waitForTimeout(700);
    expect(await label(page, ".as-map")).toContain("‘square’: peak");
  });

  it("of the strongest word: how much of the map is whose", async () => {
    const page = await show("quick");
    await page.waitForTimeout(700);
    expect(await label(page, ".as-map")).toMatch(/strongest word ‘\w+’ in \d+ %(, ‘\w+’ in \d+ %)* of the pixels/);
  });

  it("of the pin: a table with its caption", async () => {
    const page = await show("quick", { token: 3, level: "layer", layer: "up.1.0" });
    await page.waitForTimeout(700);
    expect(await page.locator(".as-pin-table").count()).toBe(0);
    await point(page, ".as-picture", 0.6, 0.3);
    await page.mouse.down();
    await page.mouse.up();
    await page.mouse.move(2, 2);
    await page.waitForTimeout(700);
    expect(await page.textContent(".as-pin-table caption")).toBe(
      "attention at the pinned pixel: y 1, x 2 of 4×4, step 19",
    );
    const rows = await page.$$eval(".as-pin-table tbody tr", (all) => all.map((row) => row.textContent));
    const bars = await page.$$eval(".as-bar", (all) =>
      all.map((row) => `${row.querySelector(".as-word")?.textContent}${row.querySelector(".as-value")?.textContent}`),
    );
    expect(rows).toEqual(bars);
    expect(await page.$$eval(".as-pin-table th", (all) => all.map((cell) => cell.getAttribute("scope")))).toEqual([
      "col",
      "col",
      ...rows.map(() => "row"),
    ]);
    expect(await page.textContent(".as-said[aria-live]")).toBe("pinned 60 % from the left, 30 % from the top");
  });

  it("of changes: place, step and comparison, together and a little later", async () => {
    const page = await live("quick", { token: 3 });
    const said = () => expect.poll(() => page.textContent(".as-said[aria-live]"), { timeout: 10_000 });
    await page.focus('.as-tile[data-layer="up.1.0"]');
    // In one moment: what is pressed while the first is still waited with is said with it.
    await page.evaluate(() => {
      for (const key of ["Enter", ","])
        document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    });
    await said().toBe("cross-attention, layer up.1.0, 4 heads; step 18 of 20");
    await page.evaluate(() => window.kernel.set("compare", { step: 4 }));
    await said().toBe("compared: B has step 4");
    await page.keyboard.press("Backspace");
    await said().toBe("cross-attention, all layers");
    expect(await page.getAttribute(".attnscope", "role")).toBe("region");
  });

  it("of sliders: values with their unit", async () => {
    const page = await show("quick", { token: 3, compare: { step: 5 }, compare_as: "swipe" });
    const texts = await page.$$eval("input[type=range]", (all) => all.map((one) => one.getAttribute("aria-valuetext")));
    expect(texts.length).toBe(3);
    expect(texts).toEqual(expect.arrayContaining(["50 % A", "70 %", "step 19 of 20, t 48"]));
  });
});

describe("forced colours", () => {
  it("leave maps alone, and show what is chosen, focused and missing", async () => {
    const page = await show("partial", { token: 3 }, { forcedColors: "active" });
    const style = (
      selector: string,
      name: "forcedColorAdjust" | "outlineStyle" | "borderTopStyle" | "backgroundColor",
    ) => page.$eval(selector, (one, name) => getComputedStyle(one)[name as "color"], name);
    expect(await style(".as-map", "forcedColorAdjust")).toBe("none");
    expect(await style(".as-missing .as-thumb", "borderTopStyle")).toBe("dashed");
    const chip = '.as-chip[aria-pressed="true"]';
    expect(await style(chip, "backgroundColor")).not.toBe(
      await style('.as-chip[aria-pressed="false"]', "backgroundColor"),
    );
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    expect(await style(":focus", "outlineStyle")).toBe("solid");
  });
});

describe("less motion", () => {
  it("is none: nothing moves by itself, whatever waits", async () => {
    const page = await live("quick", { token: 3 }, { alive: false, reducedMotion: "reduce" });
    await page.evaluate(() => window.kernel.set("step", 4));
    await page.waitForTimeout(600);
    expect(await page.locator(".as-loading").count()).toBe(1);
    const moving = () => page.evaluate(() => document.getAnimations().length);
    expect(await moving()).toBe(0);
    await page.evaluate(() => window.kernel.run.wait());
    await settle(page);
    expect([await page.locator(".as-live").count(), await moving()]).toEqual([1, 0]);
    const step = await page.evaluate(() => window.kernel.get("step"));
    await page.waitForTimeout(300);
    expect(await page.evaluate(() => window.kernel.get("step"))).toBe(step);
  });
});

describe("the focus", () => {
  it("is seen on everything that takes it", async () => {
    const page = await show("both", { ...place, level: "head", kind: "self" });
    await page.waitForTimeout(600);
    const seen: string[] = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate((): [string, string] | null => {
        const focused = document.activeElement as HTMLElement;
        if (focused === document.body) return null;
        return [focused.className || focused.tagName, getComputedStyle(focused).outlineStyle];
      });
      if (!at) break;
      if (at[1] !== "solid") seen.push(at.join(" "));
    }
    expect(seen).toEqual([]);
  });
});

describe("the theme", () => {
  it.each([
    ["body", "data-jp-theme-light", "false", "dark"],
    ["body", "class", "vscode-dark", "dark"],
    ["body", "class", "vscode-high-contrast", "dark"],
    ["body", "class", "vscode-high-contrast vscode-high-contrast-light", "light"],
    ["html", "theme", "dark", "dark"],
    ["html", "class", "dark", "dark"],
    ["body", "class", "light", "light"],
    ["html", "data-theme", "dark", "dark"],
  ])("follows %s[%s=%s]", async (element, name, value, mode) => {
    const page = await show("tiny", {}, { colorScheme: mode === "dark" ? "light" : "dark" });
    await page.$eval(element, (one, [name, value]) => one.setAttribute(name as string, value as string), [name, value]);
    await page.waitForSelector(`.attnscope[data-theme="${mode}"][data-palette="host"]`);
    expect(await page.getAttribute(".attnscope", "data-contrast")).toBe(value.includes("contrast") ? "more" : "");
  });
});
