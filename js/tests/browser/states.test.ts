/** Every state in which a scope may be found: nothing yet, nothing chosen, late, reduced, odd, broken, alone. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { page as build } from "../captures.ts";
import { blank, legend, live, pixels, settle, show } from "./pages.ts";

const set = (page: Page, name: string, to: unknown) =>
  page.evaluate(([name, to]) => window.kernel.set(name as string, to), [name, to]);
const style_before = (page: Page, selector: string, pseudo: string, property: string) =>
  page.$eval(
    selector,
    (one, [pseudo, property]) => getComputedStyle(one, pseudo).getPropertyValue(property as string),
    [pseudo, property],
  );

describe("nothing yet", () => {
  it("an empty capture says how to fill it, and takes every key", async () => {
    const page = await live("quick", {}, { alive: false });
    await page.evaluate(() => window.kernel.run.wait());
    await settle(page);
    expect(await page.textContent(".as-wait pre")).toContain("with attnscope.capture(pipe, scope=scope):");
    await page.focus(".attnscope");
    for (const key of "jkhlmotr[]\\,.<> nNcvs0bdxf".split("")) await page.keyboard.press(key === " " ? "Space" : key);
    for (const key of ["Home", "End", "Enter", "Backspace", "ArrowDown"]) await page.keyboard.press(key);
    await page.keyboard.press("?");
    expect(await page.locator("dialog").count()).toBe(1);
    await page.keyboard.press("?");
    expect(await page.evaluate(() => window.kernel.leaked)).toEqual([]);
  });

  it("nothing chosen shows the strongest words, and hints at them", async () => {
    const page = await show("quick");
    expect(await page.textContent(".as-picture-title")).toContain("strongest word per pixel");
    expect(await page.locator(".as-hint").isVisible()).toBe(true);
    expect(await page.locator(".as-chip .as-swatch").count()).toBe(7);
  });
});

describe("not here yet", () => {
  it("is coarse and hatched, with a sign that turns after a while", async () => {
    const page = await live("quick", { token: 3 }, { alive: false });
    await page.waitForTimeout(500); // what was prefetched hangs: its moment is over
    await page.evaluate(() => window.kernel.tell("comm_live_update"));
    await page.waitForTimeout(1100); // asked again, just now
    await set(page, "layer", "up.1.0");
    await set(page, "level", "layer");
    await settle(page);
    expect(await page.textContent(".as-badge")).toBe("coarse · 8-bit");
    expect(await style_before(page, ".as-picture", "::before", "background-image")).toContain(
      "repeating-linear-gradient",
    );
    await page.waitForSelector(".as-loading .as-coarse .as-badge");
    expect(await style_before(page, ".as-badge", "::before", "animation-name")).toBe("as-turn");
    expect(await page.locator('.as-tile[data-head="1"].as-stale').count()).toBe(1);
  });

  it("is never a blank pane: the picture stays, under the hatch", async () => {
    const page = await live("quick", { token: 3 }, { alive: false });
    const map = await pixels(page, ".as-map");
    await set(page, "step", 4);
    await settle(page);
    expect(await pixels(page, ".as-map")).toBe(map);
    expect(await page.textContent(".as-badge")).toBe("not here yet");
    expect(await page.locator(".as-picture-pane.as-stale").count()).toBe(1);
  });

  it("of another step: a dot on every tile, and the step outlined", async () => {
    const page = await live("quick", { token: 3 }, { alive: false });
    expect(await style_before(page, ".as-tile .as-thumb", "::before", "content")).toBe("none");
    await set(page, "step", 4);
    await settle(page);
    expect(await page.locator(".as-tile.as-stale").count()).toBe(16);
    expect(await style_before(page, ".as-tile .as-thumb", "::before", "border-radius")).toBe("50%");
    expect(await page.$eval(".as-step b", (one) => getComputedStyle(one).outlineStyle)).toBe("dashed");
  });
});

describe("not captured", () => {
  it("is dashed and says why", async () => {
    const page = await show("partial");
    expect(await page.$eval(".as-missing .as-thumb", (one) => getComputedStyle(one).borderTopStyle)).toBe("dashed");
    expect(await page.getAttribute(".as-missing", "aria-label")).toContain("not captured: not asked for (layers=)");
    expect(await page.textContent(".as-missing .as-reason")).toBe("not asked for (layers=)");
    const kinds = await page.$$eval(".as-kinds button", (all) => all.map((one) => (one as HTMLButtonElement).disabled));
    expect(kinds).toEqual([false, true]);
  });
});

describe("reduced and odd maps", () => {
  it("say that they have eight bits, and at which grid a difference is", async () => {
    const page = await show("quick", { token: 3, compare: { layer: "mid.0" }, level: "layer", layer: "up.3.1" });
    await page.waitForFunction(() => !document.querySelector(".as-coarse, .as-stale"));
    await settle(page);
    expect(await page.textContent(".as-role-a .as-badge")).toBe("8-bit");
    expect(await page.textContent(".as-role-difference .as-badge")).toBe("diff at 2×2");
    const exact = await show("sd15_64", { token: 3 });
    expect(await exact.textContent(".as-badge")).not.toContain("8-bit");
  });

  it("count what is not a number, and stripe it", async () => {
    const page = await show("partial", { level: "head", layer: "down.1.0", head: 0, token: 0 });
    await page.waitForFunction(() => !document.querySelector(".as-coarse, .as-stale"));
    await settle(page);
    expect(await page.textContent(".as-badge")).toBe("8-bit · 3 NaN");
    expect(await legend(page)).toContain("3 cells are not a number (magenta)");
    const colours = await page.$eval(".as-map", (canvas) => {
      const map = canvas as HTMLCanvasElement;
      const { data } = (map.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, map.width, map.height);
      return Array.from({ length: data.length / 4 }, (_, i) => [...data.subarray(4 * i, 4 * i + 3)].join());
    });
    expect(colours.filter((rgb) => rgb === "255,0,255" || rgb === "96,0,96").length).toBe(3);
    await page.waitForTimeout(600);
    expect(await page.getAttribute(".as-map", "aria-label")).toContain("3 cells are not a number");
  });

  it("say that all their values are equal, and are grey", async () => {
    const page = await show("flat", { token: 1, level: "head", head: 0 });
    await page.waitForFunction(() => !document.querySelector(".as-coarse, .as-stale"));
    await settle(page);
    expect(await page.textContent(".as-badge")).toMatch(/constant 0\.0\d+$/);
    expect(await legend(page)).toContain("constant 0.0");
    const grey = await page.$eval(".as-map", (canvas) => {
      const context = (canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D;
      return [...context.getImageData(0, 0, 1, 1).data];
    });
    expect(grey).toEqual([128, 128, 128, 255]);
  });
});

describe("errors", () => {
  it("are a card with the sentence, a retry and the traceback; the rest works", async () => {
    const page = await live("both", {
      kind: "cross",
      token: 3,
      level: "head",
      layer: "up.1.0",
      head: 1,
      uv: [0.5, 0.3],
    });
    await page.waitForSelector(".as-error");
    expect(await page.textContent(".as-error p")).toContain("no strip|");
    expect(await page.locator(".as-error button").allTextContents()).toEqual(["Retry", "Copy traceback"]);
    const asked = () => page.evaluate(() => window.kernel.asked.filter((id) => id.startsWith("strip")).length);
    expect(await asked()).toBe(1);
    await page.click(".as-error button >> nth=0");
    await page.waitForFunction(() => window.kernel.asked.filter((id) => id.startsWith("strip")).length === 2);
    await page.keyboard.press(",");
    await page.waitForFunction(() => document.querySelector(".as-legend")?.textContent?.includes("step 15/20"));
  });

  it("another version of Python is named, beside that of the page", async () => {
    const page = await blank();
    await page.setContent(build("tiny").replace('"protocol":"attnscope/1"', '"protocol":"attnscope/7"'));
    await page.waitForSelector(".as-error");
    expect(await page.textContent(".as-error p")).toBe(
      "Python speaks 'attnscope/7' (attnscope 0.1.0) and this page 'attnscope/1': " +
        "restart the kernel and reload the page after an update of attnscope",
    );
  });
});

describe("the kernel", () => {
  it("is busy after 400 ms, and what is here is shown", async () => {
    const page = await live("quick", { token: 3 }, { alive: false });
    await set(page, "step", 0);
    await page.waitForSelector(".as-busy");
    expect(await page.textContent(".as-busy")).toBe("kernel busy: showing what is here");
    await page.evaluate(() => {
      window.kernel.alive = true;
      window.kernel.tell("comm:close"); // what hung is asked for again
    });
    await page.waitForFunction(() => !document.querySelector(".as-busy, .as-stale"), null, { timeout: 5000 });
  });

  it.each(["send", "comm:close"])(
    "is gone (%s): the steps that are here are counted, and all is well once it is back",
    async (how) => {
      const page = await live("quick", { token: 3 });
      await page.waitForFunction(() => document.querySelectorAll(".as-buffered .as-here").length === 20);
      await page.evaluate((how) => {
        window.kernel.gone = true;
        if (how === "comm:close") window.kernel.tell(how);
      }, how);
      await set(page, "layer", "up.1.0");
      await set(page, "level", "layer");
      await page.waitForSelector(".as-busy");
      expect(await page.textContent(".as-busy")).toMatch(/^view only: \d+ of 20 steps are here$/);
      await set(page, "level", "unet");
      await settle(page);
      expect(await page.textContent(".as-busy")).toBe("view only: 20 of 20 steps are here");
      expect(await page.locator(".as-error, .as-stale").count()).toBe(0);
      await set(page, "level", "layer");
      await page.evaluate(() => {
        window.kernel.gone = false;
      });
      await page.waitForFunction(() => !document.querySelector(".as-busy, .as-coarse, .as-stale"), null, {
        timeout: 9000,
      });
    },
  );
});
