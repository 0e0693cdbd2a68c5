/** The scope inside a notebook: keys, several views, a kernel that is silent, traits set in Python. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { legend, level, live, point, settle } from "./pages.ts";

const set = (page: Page, name: string, to: unknown) =>
  page.evaluate(([name, to]) => window.kernel.set(name as string, to), [name, to]);
const get = (page: Page, name: string) => page.evaluate((name) => window.kernel.get(name), name);

describe("keys", () => {
  it.each([false, true])(
    "after a click, after Enter, after any change of place, stay inside (shadow: %s)",
    async (shadow) => {
      const page = await live("quick", {}, { shadow });
      const leaked = () => page.evaluate(() => window.kernel.leaked);
      const type = async (...keys: string[]) => {
        for (const key of keys) {
          await page.keyboard.press(key);
          await settle(page);
        }
      };
      await page.click('.as-tile[data-layer="up.1.0"]');
      await settle(page);
      await type("d", "d", "j", "d");
      expect([await level(page), await leaked()]).toEqual(["layer", []]);
      await type("ArrowRight", "ArrowRight", "Enter", "d", "Backspace", "d");
      expect([await level(page), await leaked()]).toEqual(["layer", []]);
      await page.click('.as-tile[data-head="1"]');
      await settle(page);
      await type("d", "k", "d", "Backspace", "Backspace", "d");
      expect([await level(page), await leaked()]).toEqual(["unet", []]);
      await type("ArrowRight", "Enter", "d", "h", "d");
      await page.click(".as-crumb >> nth=1"); // the last one goes
      await set(page, "level", "unet");
      await settle(page);
      await type("d");
      expect(await leaked()).toEqual([]);
    },
  );

  it("the focus is not taken from what stays", async () => {
    const page = await live("quick", { level: "layer", layer: "up.1.0" });
    await page.focus('.as-tile[data-head="1"]');
    await page.keyboard.press("Enter");
    await settle(page);
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-head"))).toBe("1");
    await page.focus(".as-scrubber input");
    await set(page, "layer", "mid.0");
    await settle(page);
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("INPUT");
  });
});

describe("a kernel that is silent", () => {
  it("is said as soon as something waits for it, and old numbers are dimmed", async () => {
    const page = await live("quick", { token: 3 }, { alive: false });
    await page.waitForTimeout(600); // the prefetched batch, with step 0 in it, hangs
    expect(await page.locator(".as-busy").count()).toBe(0);
    expect(await page.locator(".as-waiting").count()).toBe(0);
    await set(page, "step", 0);
    await settle(page);
    expect(await page.textContent(".as-busy")).toBe("kernel busy: showing what is here");
    expect(await page.$eval(".as-waiting .as-fill", (fill) => Number(getComputedStyle(fill).opacity))).toBeLessThan(1);
    await set(page, "step", 19);
    await settle(page);
    expect(await page.locator(".as-busy, .as-waiting").count()).toBe(0);
  });
});

describe("two views", () => {
  it("play one clock, which ends with the last of them", async () => {
    const page = await live("quick", { token: 3, step: 0 }, { views: 2 });
    const names = () => page.$$eval(".as-play", (all) => all.map((one) => one.getAttribute("aria-label")));
    await page.click(".attnscope >> nth=0 >> .as-play");
    await settle(page);
    expect(await names()).toEqual(["pause", "pause"]);
    await page.click(".attnscope >> nth=1 >> .as-play");
    await settle(page);
    expect(await names()).toEqual(["play", "play"]);
    await page.click(".attnscope >> nth=0 >> .as-play");
    await page.evaluate(() => window.kernel.views[0]?.());
    await settle(page);
    expect(await names()).toEqual(["pause"]);
    await page.evaluate(() => window.kernel.views[1]?.());
    await page.waitForTimeout(300); // what was reached is written
    const reached = await get(page, "step");
    await page.waitForTimeout(400);
    expect(await get(page, "step")).toBe(reached);
  });
});

describe("traits set in Python", () => {
  it("end the hover of a tile that is gone", async () => {
    const page = await live("quick", { level: "layer", layer: "up.1.0", token: 3 });
    await point(page, '.as-tile[data-head="1"] .as-thumb', 0.5, 0.5);
    expect(await legend(page)).toContain("up.1.0");
    await set(page, "layer", "down.1.0");
    await settle(page);
    expect(await page.textContent(".as-picture-title")).toContain("down.1.0");
    expect(await legend(page)).toContain("down.1.0");
    await point(page, '.as-tile[data-head="1"] .as-thumb', 0.4, 0.5);
    expect(await legend(page)).toMatch(/down\.1\.0 .*head 1/);
  });
});
