/** The overview of stacked blocks, of self-attention and of narrow pages; the heads grid. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { level, pixels, point, settle, show } from "./pages.ts";

const heads = (page: Page) =>
  page.$$eval("[data-head]", (tiles) => tiles.map((tile) => (tile as HTMLElement).dataset.head));
const title = (page: Page) => page.textContent(".as-picture-title");

describe("depth strips", () => {
  it("have a cell for each block, as high as its attention", async () => {
    const page = await show("many", { token: 3 });
    expect(await page.locator(".as-depths").count()).toBe(11);
    expect(await page.locator(".as-depths > span").count()).toBe(70);
    await settle(page);
    const scales = () => page.$$eval(".as-depths i", (bars) => bars.map((bar) => (bar as HTMLElement).style.transform));
    const some = await scales();
    expect(new Set(some).size).toBeGreaterThan(20);
    expect(some).toContain("scaleY(1)");
    await page.hover(".as-chip >> nth=6");
    await settle(page);
    expect(await scales()).not.toEqual(some);
  });

  it("show one block in the tile and in the picture while pointed at, without drawing the page anew", async () => {
    const page = await show("many", { token: 3 });
    const tile = '.as-tile[data-layer="up.0.1.0"]';
    const mean = await pixels(page, `${tile} canvas`);
    await page.evaluate(() => {
      const seen = window as unknown as { added: number };
      seen.added = 0;
      new MutationObserver((list) => {
        seen.added += list.filter(({ type }) => type === "childList").length;
      }).observe(document.querySelector(".as-u") as Element, { childList: true, subtree: true });
    });
    await point(page, `${tile} .as-depths`, 0.75, 0.5);
    expect(await title(page)).toBe("up.0.1.7 · ‘circle’");
    const seventh = await pixels(page, `${tile} canvas`);
    expect(seventh).not.toBe(mean);
    await point(page, `${tile} .as-depths`, 0.25, 0.5);
    expect(await title(page)).toBe("up.0.1.2 · ‘circle’");
    expect(await page.evaluate(() => (window as unknown as { added: number }).added)).toBe(0);
    await page.mouse.move(2, 2);
    await settle(page);
    expect([await title(page), await pixels(page, `${tile} canvas`)]).toEqual(["mean of 70 layers · ‘circle’", mean]);
    await page.click(`${tile} .as-depths`, { position: { x: 76, y: 10 } });
    expect([await level(page), await page.textContent(".as-crumb[aria-current=true]")]).toEqual(["layer", "up.0.1.9"]);
  });

  it("are walked by arrows; Enter opens", async () => {
    const page = await show("many", { token: 3 });
    const strip = page.locator('.as-tile[data-layer="up.0.1.0"] .as-depths');
    await strip.focus();
    for (const key of ["ArrowLeft", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"])
      await page.keyboard.press(key);
    await settle(page);
    expect(await strip.getAttribute("aria-valuetext")).toBe("block 2 of 10, up.0.1.2");
    expect(await title(page)).toBe("up.0.1.2 · ‘circle’");
    await page.keyboard.press("Enter");
    expect([await level(page), await page.textContent(".as-crumb[aria-current=true]")]).toEqual(["layer", "up.0.1.2"]);
    expect(await page.evaluate(() => document.activeElement?.closest(".attnscope") !== null)).toBe(true);
  });
});

describe("self-attention of all layers", () => {
  it("says what its tiles are, with a pixel pinned and without", async () => {
    const page = await show("both", { kind: "self" });
    expect(await page.textContent(".as-received")).toContain("1 = an even share");
    await page.click(".as-picture");
    expect(await page.textContent(".as-received")).toBe("where the pinned pixel attends to");
    expect(await page.locator(".as-u .as-spark, .as-depths").count()).toBe(0);
    await page.click(".as-kinds button >> nth=0");
    expect(await page.locator(".as-received").count()).toBe(0);
  });
});

describe("a narrow overview", () => {
  it("groups the sites by their grid, none of them beyond the edge", async () => {
    const page = await show("sd15", {}, { viewport: { width: 436, height: 900 } });
    expect(await page.locator(".as-run-head").allTextContents()).toEqual([
      "down 32²",
      "down 16²",
      "down 8²",
      "mid 4²",
      "up 8²",
      "up 16²",
      "up 32²",
    ]);
    expect(await page.locator(".as-runs .as-tile").count()).toBe(16);
    expect(await page.$eval(".as-runs", (runs) => runs.scrollWidth - runs.clientWidth)).toBe(0);
  });
});

describe("the heads grid", () => {
  it("is sorted by what is chosen, says so, and leaves the focus where it was", async () => {
    const page = await show("quick", { level: "layer", layer: "up.1.0", token: 3 });
    expect(await heads(page)).toEqual(["mean", "max", "0", "1", "2", "3"]);
    await page.selectOption('[aria-label="order of the heads"]', "entropy");
    const sorted = await heads(page);
    expect(sorted.slice(0, 2)).toEqual(["mean", "max"]);
    await page.waitForFunction(
      (order) => document.querySelector(".as-said")?.textContent === `heads by entropy, lowest first: ${order}`,
      sorted.slice(2).join(", "),
    );
    // Another word, another order: the tile with the focus moves and keeps it.
    await page.focus('[data-head="2"]');
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press("]");
      await settle(page);
      expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.head)).toBe("2");
    }
  });

  it("is sorted by similarity to what is chosen, and says to what", async () => {
    const page = await show("quick", { level: "layer", layer: "up.1.0", token: 3, sort: "similarity" });
    const named = () =>
      page.$eval('[aria-label="order of the heads"]', (select) => {
        const { options, selectedIndex } = select as HTMLSelectElement;
        return options[selectedIndex]?.textContent;
      });
    expect(await named()).toBe("by similarity to the mean");
    expect(await page.textContent(".as-layer-line .as-hint")).toContain("shift-click a head");
    await page.click('[data-head="3"]', { modifiers: ["Shift"] });
    expect(await named()).toBe("by similarity to head 3");
    expect((await heads(page))[2]).toBe("3");
    expect(await page.locator('[data-head="3"].as-current').count()).toBe(1);
    await page.click('[data-head="1"]', { modifiers: ["Shift"] });
    expect(await named()).toBe("by similarity to mean of heads 1 and 3");
    expect(await page.textContent(".as-chosen-heads")).toBe("mean of 1, 3 ×");
    await page.click(".as-chosen-heads");
    expect(await page.locator(".as-current").count()).toBe(0);
  });

  it("opens one head by a double click, not the one that lies there then", async () => {
    const page = await show("quick", { level: "layer", layer: "up.1.0" });
    await page.dblclick('[data-head="mean"]');
    expect(await level(page)).toBe("head");
    expect(await page.textContent(".as-crumb[aria-current=true]")).toBe("mean of heads");
    const unet = await show("quick");
    await unet.dblclick('.as-tile[data-layer="down.0.0"]');
    expect(await level(unet)).toBe("layer");
  });

  it("of forty heads fits a narrow page, number and value beside each other", async () => {
    const page = await show(
      "forty",
      { level: "layer", layer: "up.1.0", token: 3, uv: [0.4, 0.3] },
      { viewport: { width: 436, height: 900 } },
    );
    expect((await heads(page)).length).toBe(42);
    expect(await page.$eval(".as-heads", (grid) => grid.scrollWidth - grid.clientWidth)).toBe(0);
    const apart = await page.$eval('[data-head="39"]', (tile) => {
      const box = (selector: string) => (tile.querySelector(selector) as Element).getBoundingClientRect();
      return box(".as-tile-value").left - box(".as-label").right;
    });
    expect(apart).toBeGreaterThanOrEqual(0);
  });
});
