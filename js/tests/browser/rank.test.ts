/** Which heads of the whole network follow the chosen word: below the U, and what a click on one does. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { level, live, pixels, point, settle, show } from "./pages.ts";

const best = (page: Page) =>
  page.$$eval("[data-best]", (tiles) => tiles.map((tile) => (tile as HTMLElement).dataset.best));
const here = (page: Page) =>
  page.waitForFunction(
    () => document.querySelectorAll("[data-best]").length === 8 && !document.querySelector("[data-best].as-stale"),
  );
const scores = (page: Page) => page.$$eval(".as-score", (spans) => spans.map((span) => Number(span.textContent)));

describe("heads that follow a word", () => {
  it("are the eight best, best first, and named by the word", async () => {
    const page = await show("both", { token: 3 });
    await here(page);
    expect(await page.textContent(".as-best > p")).toBe("heads that follow ‘circle’");
    expect(await page.getAttribute(".as-best [role=grid]", "aria-label")).toBe("heads that follow ‘circle’");
    const list = await scores(page);
    expect(list).toEqual([...list].sort((a, b) => b - a));
    expect(new Set(await best(page)).size).toBe(8);
    expect(await page.locator('.as-best [tabindex="0"]').count()).toBe(1);
    const first = await best(page);
    await page.click(".as-chip >> nth=6");
    await settle(page);
    await here(page);
    expect(await page.textContent(".as-best > p")).toBe("heads that follow ‘blue’");
    expect(await best(page)).not.toEqual(first);
  });

  it("open the head that is named", async () => {
    const page = await show("both", { token: 3 });
    await here(page);
    const [layer, head] = ((await best(page))[0] as string).split(" ");
    await page.click("[data-best] >> nth=0");
    expect([await level(page), await page.textContent(".as-picture-title")]).toEqual([
      "head",
      `${layer}, head ${head} · ‘circle’`,
    ]);
    expect(await page.locator(".as-best").count()).toBe(0);
  });

  it("are compared by a click with alt, and opened by Enter", async () => {
    const page = await live("both", { token: 3 });
    await here(page);
    const [layer, head] = ((await best(page))[1] as string).split(" ");
    await page.click("[data-best] >> nth=1", { modifiers: ["Alt"] });
    await page.waitForFunction(() => window.kernel.get("compare"));
    expect(await page.evaluate(() => window.kernel.get("compare"))).toEqual({ layer, head: Number(head) });
    await page.focus("[data-best] >> nth=0");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await settle(page);
    expect(await level(page)).toBe("head");
  });

  it("are there only where a word of cross-attention is chosen", async () => {
    for (const traits of [{}, { token: 3, kind: "self" as const }, { token: 3, level: "block" as const }]) {
      const page = await show("both", traits);
      expect(await page.locator(".as-best").count()).toBe(0);
    }
  });

  it("keep their order and their place under the pointer", async () => {
    const page = await show("both", { token: 3 });
    await here(page);
    const order = await best(page);
    const map = await pixels(page, "[data-best] canvas");
    await point(page, "[data-best] .as-thumb", 0.5, 0.3);
    expect(await page.textContent(".as-picture-title")).toBe(`${order[0]?.replace(" ", " · ")} · ‘circle’`);
    expect(await page.textContent("[data-best] .as-tile-value")).toMatch(/^0\.\d{3}$/);
    await page.hover(".as-chip >> nth=6");
    await settle(page);
    expect(await best(page)).toEqual(order);
    expect(await pixels(page, "[data-best] canvas")).not.toBe(map);
  });

  it("are of the layers that the file holds", async () => {
    const page = await show("few", { token: 3 });
    await here(page);
    const layers = async () => [...new Set((await best(page)).map((each) => each?.split(" ")[0] as string))].sort();
    await expect.poll(layers).toEqual(["down.1.0", "up.2.1"]); // of a layer that is not there one hears when it is asked for
  });
});
