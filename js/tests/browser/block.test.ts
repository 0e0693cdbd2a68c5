/** The transformer around an attention, in a real browser. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { level, pixels, point, settle, show } from "./pages.ts";

const operations = (page: Page) =>
  page.$$eval("[data-operation]", (all) => all.map((each) => (each as HTMLElement).dataset.operation));
const trait = (page: Page) => page.textContent(".as-crumb[aria-current=true]");

describe("the block", () => {
  it("lists every step with its shape, from top to bottom", async () => {
    const page = await show("both", { level: "block", layer: "up.3.1", token: 3 });
    await page.waitForSelector(".as-flow");
    expect(await operations(page)).toEqual(
      ["keep residual", "norm", "proj_in", "reshape"]
        .concat(["norm1", "attn1", "add residual", "norm2", "attn2", "add residual", "norm3", "ff", "add residual"])
        .concat(["reshape", "proj_out", "add residual"]),
    );
    const line = (name: string) => page.textContent(`[data-operation="${name}"]`);
    expect(await line("proj_in")).toBe("proj_inConv2d(64 →\u00a064)[1, 64, 16, 16]");
    expect(await line("norm2")).toBe("norm2LayerNorm(64)[1, 256, 64]");
    expect(await page.locator(".as-residual").count()).toBe(4);
    expect(await page.locator(".as-attention .as-norm, [data-operation=ff] .as-norm").count()).toBe(3);
  });

  it("opens an attention in two stages, and closes it", async () => {
    const page = await show("both", { level: "block", layer: "up.3.1" });
    const attn2 = page.locator("[data-operation=attn2]");
    await attn2.locator(".as-toggle").click();
    expect(await attn2.locator(".as-lane b").allTextContents()).toEqual([
      "Q",
      "K",
      "V",
      "scores",
      "weighted sum",
      "merge heads",
      "to_out",
    ]);
    expect(await attn2.locator(".as-scores").textContent()).toContain("√16)[4, 256, 77]");
    await attn2.locator(".as-inside .as-toggle").click();
    expect(await attn2.locator(".as-op").count()).toBe(14);
    await attn2.locator(".as-op .as-toggle").click();
    expect(await attn2.locator(".as-op").count()).toBe(17);
    await attn2.locator(".as-toggle").first().click();
    expect(await attn2.locator(".as-inside").count()).toBe(0);
  });

  it("has a live map of each kind, whose own a click opens", async () => {
    const page = await show("both", { level: "block", layer: "up.3.1", token: 3 });
    await point(page, ".as-tile[data-kind=self] .as-thumb", 0.5, 0.5);
    expect(await page.textContent(".as-picture-title")).toBe("up.3.1 attn1 · received attention");
    await point(page, ".as-tile[data-kind=cross] .as-thumb", 0.5, 0.5);
    expect(await page.textContent(".as-picture-title")).toBe("up.3.1 attn2 · ‘circle’");
    await page.click(".as-tile[data-kind=self]");
    expect([await level(page), await page.textContent(".as-kinds [aria-pressed=true]")]).toEqual(["layer", "self"]);
    await page.click(".as-open-block");
    expect(await level(page)).toBe("block");
    await page.click(".as-tile[data-kind=cross]");
    expect(await page.textContent(".as-kinds [aria-pressed=true]")).toBe("cross");
  });

  it("says why there are no steps, and shows the maps all the same", async () => {
    const page = await show("tiny", { level: "block", layer: "up.1.1" });
    expect(await page.textContent(".as-block .as-note")).toContain("does not hold the configuration");
    expect(await page.locator(".as-attention").count()).toBe(2);
    expect(await page.textContent("[data-missing=attn1] .as-reason")).toBe("self-attention was not recorded");
    expect(await page.locator(".as-attention .as-stale").count()).toBe(0);
  });

  it("says what the answer was where it was an error", async () => {
    const page = await show("unknown", { level: "block", layer: "up.1.1" });
    await page.waitForSelector(".as-why");
    expect(await page.textContent(".as-why")).toContain("this file does not hold the anatomy up.1.1");
    expect(await page.locator(".as-error").count()).toBe(0);
    await page.click(".as-why button");
    await settle(page);
    await page.waitForSelector(".as-why");
  });
});

describe("stacked blocks", () => {
  it("stand side by side, both kinds, with what their maps have in bits; a click opens one", async () => {
    const page = await show("stack", { level: "block", layer: "up.0.1.3", token: 3 });
    await page.waitForSelector(".as-flow");
    expect(await page.locator(".as-blocks [role=row]").count()).toBe(2);
    expect(await page.locator(".as-blocks [data-block]").count()).toBe(20);
    await settle(page);
    const bits = await page.$$eval(".as-entropies span", (all) => all.map((each) => each.textContent));
    expect(bits[0]).toBe("entropy in bits of the word's map");
    expect(bits.slice(1).every((text) => /^[0-8]\.\d\d$/.test(text ?? ""))).toBe(true);
    expect(bits.length).toBe(11);
    const before = await pixels(page, ".as-map");
    const tile = page.locator('[data-block="up.0.1.7"]').last();
    await tile.click();
    await settle(page);
    expect(await tile.getAttribute("aria-selected")).toBe("true");
    expect(await pixels(page, ".as-map")).not.toBe(before);
    expect(await page.getAttribute("[data-operation=attn2]", "title")).toContain("transformer_blocks.7.attn2");
    // The tile that was clicked keeps the keyboard: nothing falls to the page around.
    expect(await tile.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    expect(await page.locator('[data-block="up.0.1.6"]').last().getAttribute("aria-selected")).toBe("true");
  });

  it("are a level between the UNet and a layer, which one block alone is not", async () => {
    const page = await show("stack", { level: "head", layer: "up.0.1.3", head: 1 });
    await page.focus(".attnscope");
    const seen: (string | null)[] = [];
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press("Backspace");
      seen.push(await level(page));
    }
    expect(seen).toEqual(["layer", "block", "unet"]);
    await page.click('.as-tile[data-layer="up.0.1.0"] .as-thumb');
    expect([await level(page), await trait(page)]).toEqual(["block", "up.0.1"]);
    const single = await show("both", { level: "layer", layer: "up.3.1" });
    await single.focus(".attnscope");
    await single.keyboard.press("Backspace");
    expect(await level(single)).toBe("unet");
  });

  it.each([1280, 800, 420])("does not make the page %i wide scroll sideways", async (width) => {
    const page = await show("stack", { level: "block", layer: "up.0.1.3" }, { viewport: { width, height: 900 } });
    await page.waitForSelector(".as-flow");
    await page.click("[data-operation=attn1] .as-toggle");
    for (const selector of [".as-block", ".as-blocks", ".as-lanes"]) {
      const over = await page.$eval(selector, (element) => element.scrollWidth - element.clientWidth);
      expect([selector, over]).toEqual([selector, 0]);
    }
  });
});
