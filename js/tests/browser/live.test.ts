/** The scope that is shown before there is anything, and fills while a run goes on. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Kernel } from "./pages.ts";
import { legend, level, live, pixels, settle } from "./pages.ts";

async function run(page: Page, act: keyof Kernel["run"], steps = 1): Promise<void> {
  await page.evaluate(([act, steps]) => window.kernel.run[act as keyof Kernel["run"]](steps as number), [act, steps]);
  await settle(page);
}
const asked = (page: Page) => page.evaluate(() => window.kernel.asked.splice(0));
const trait = (page: Page, name: string) => page.evaluate((name) => window.kernel.get(name), name);
const saved = (page: Page) => page.evaluate(() => window.kernel.saved);
const follow = (page: Page, view = 0) => page.textContent(`.attnscope >> nth=${view} >> .as-follow`);

async function begun(capture = "quick", options = {}): Promise<Page> {
  const page = await live(capture, { token: 3 }, { alive: false, ...options });
  await run(page, "wait");
  return page;
}

describe("a scope that waits", () => {
  it("says for what, in every view, and takes no key amiss", async () => {
    const page = await begun("quick", { views: 2 });
    expect(await page.locator(".as-wait p").allTextContents()).toEqual(Array(2).fill("waiting for the first step"));
    expect(await page.textContent(".as-wait pre")).toContain("scope=scope");
    expect(await page.locator(".as-wait i").count()).toBe(14);
    expect(await page.locator(".as-tile, .as-error, input").count()).toBe(0);
    await page.focus(".attnscope");
    for (const key of "jkhl[],. nNc?".split("")) await page.keyboard.press(key === " " ? "Space" : key);
    await run(page, "open");
    expect(await page.locator(".as-wait").count()).toBe(2);
    await run(page, "grow");
    expect(await page.locator(".as-wait").count()).toBe(0);
    expect(await page.locator(".attnscope >> nth=1 >> .as-tile").count()).toBe(16);
  });
});

describe("a run that goes on", () => {
  it("is followed step by step, and nothing is asked for", async () => {
    const page = await begun();
    await asked(page);
    await run(page, "open");
    await run(page, "grow");
    const first = await pixels(page, ".as-map");
    expect(await legend(page)).toContain("step 0/20");
    expect(await follow(page)).toBe("live 1/20");
    await run(page, "grow", 2);
    expect(await legend(page)).toContain("step 2/20");
    expect(await follow(page)).toBe("live 3/20");
    expect(await pixels(page, ".as-map")).not.toBe(first);
    expect(await page.locator(".as-buffered i").count()).toBe(20);
    expect(await page.locator(".as-buffered .as-here").count()).toBe(3);
    expect(await page.locator(".as-stale, .as-waiting, .as-busy").count()).toBe(0);
    expect(await asked(page)).toEqual([]);
    await page.waitForTimeout(200);
    expect(await saved(page)).toBe(0); // Python follows by itself
    await run(page, "end");
    expect([await saved(page), await trait(page, "step")]).toEqual([1, 2]);
  });

  it("stays where its reader went, until it is followed again", async () => {
    const page = await begun("quick", { views: 2 });
    await run(page, "open");
    await run(page, "grow", 4);
    await page.click(".as-icon >> nth=0");
    await settle(page);
    await run(page, "grow", 2);
    expect(await legend(page)).toContain("step 2/20");
    expect(await follow(page, 1)).toBe("follow 6/20");
    await page.click(".as-follow >> nth=1");
    await settle(page);
    expect(await legend(page)).toContain("step 5/20");
    await run(page, "grow");
    expect(await legend(page)).toContain("step 6/20");
    await run(page, "end");
    expect(await trait(page, "step")).toBe(6);
  });

  it("cannot be scrubbed to where it is not yet", async () => {
    const page = await begun();
    await run(page, "open");
    await run(page, "grow", 3);
    const slider = page.locator(".as-scrubber input");
    await slider.fill("17");
    await settle(page);
    expect([await slider.inputValue(), await follow(page)]).toEqual(["2", "live 3/20"]);
    await slider.fill("1");
    await run(page, "grow");
    expect([await slider.inputValue(), await follow(page)]).toEqual(["1", "follow 4/20"]);
  });

  it("ends with the picture, and with what was finished where it broke off", async () => {
    const page = await begun();
    await run(page, "open");
    await run(page, "grow", 5);
    expect(await page.getAttribute(".as-picture-pane", "class")).toContain("as-bare");
    await page.focus(".as-follow");
    await run(page, "end");
    await page.waitForFunction(() => !document.querySelector(".as-picture-pane")?.classList.contains("as-bare"));
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("attnscope");
    expect(await page.locator(".as-follow").count()).toBe(0);
    expect(await page.getAttribute(".as-scrubber input", "max")).toBe("4");
    expect(await page.locator(".as-picture-head .as-segments").count()).toBe(1);
  });

  it("is opened while it goes on, and another one takes its place", async () => {
    const page = await begun("quick", { alive: true });
    await run(page, "open");
    await run(page, "grow", 2);
    await page.click('.as-tile[data-layer="up.1.0"]');
    await page.waitForFunction(() => !document.querySelector(".as-coarse, .as-stale"));
    await run(page, "grow");
    await page.waitForFunction(() => !document.querySelector(".as-coarse, .as-stale"));
    expect([await level(page), await legend(page)]).toEqual(["layer", expect.stringContaining("step 2/20")]);
    await page.focus('.as-tile[data-head="1"]');
    await run(page, "wait");
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("attnscope");
    await page.evaluate(() => {
      window.kernel.alive = false;
    });
    await asked(page);
    await run(page, "open");
    await run(page, "grow");
    expect(await follow(page)).toBe("live 1/20");
    expect(await asked(page)).toContain("layer|0|0|cond|up.1.0"); // nothing of the run before is left
  });
});
