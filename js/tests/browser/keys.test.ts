/** The whole keyboard, as a notebook has it around: what each key does, what leaks, and how one gets in and out. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { legend, level, live, pixels, settle, show } from "./pages.ts";

const get = (page: Page, name: string) =>
  page.evaluate(async (name) => {
    await new Promise((done) => setTimeout(done, 200)); // what was chosen is written
    return window.kernel.get(name);
  }, name);
const leaked = (page: Page) => page.evaluate(() => window.kernel.leaked);

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) {
    await page.keyboard.press(key);
    await settle(page);
  }
}

async function focused(page: Page): Promise<Page> {
  await page.focus(".attnscope");
  return page;
}

describe("every key", () => {
  it("of colours", async () => {
    const page = await focused(await live("both", { token: 3 }));
    await press(page, "n", "N", "c", "v", "s");
    expect(await Promise.all(["scale", "transform", "cmap", "blend", "smooth"].map((name) => get(page, name)))).toEqual(
      ["shared", "sqrt", "cividis", "mask", true],
    );
    await press(page, "v");
    expect(await get(page, "blend")).toBe("contour");
    await press(page, "v", "s");
    expect([await get(page, "blend"), await get(page, "smooth")]).toEqual(["colour", false]);
    const opacities = [];
    for (const digit of "0459") {
      await press(page, digit);
      opacities.push(await get(page, "overlay"));
    }
    expect(opacities).toEqual([0, 0.45, 0.55, 1]);
    expect(await leaked(page)).toEqual([]);
  });

  it("of steps", async () => {
    const page = await focused(await live("quick", { step: 11 }));
    const steps = [];
    for (const key of [",", ".", "<", ">", "Home", "<", "End", ">"]) {
      await press(page, key);
      steps.push(await get(page, "step"));
    }
    expect(steps).toEqual([10, 11, 6, 11, 0, 0, 19, 19]);
    await press(page, "Home", " ");
    expect(await page.locator('[aria-label="pause"]').count()).toBe(1);
    await press(page, " ");
    expect(await page.locator('[aria-label="play"]').count()).toBe(1);
  });

  it("of place", async () => {
    const page = await focused(await live("both", { layer: "up.1.0", uv: [0.5, 0.3] }));
    await press(page, "m");
    expect(await page.textContent(".as-key-note")).toContain("open a layer first");
    await press(page, "r");
    expect(await page.textContent(".as-key-note")).toBe("only self-attention has rows and columns");
    await press(page, "t", "r");
    expect([await get(page, "kind"), await get(page, "direction")]).toEqual(["self", "column"]);
    await press(page, "t", "j"); // from the whole network to the layer last looked at
    expect([await get(page, "kind"), await get(page, "level"), await get(page, "layer")]).toEqual([
      "cross",
      "layer",
      "up.1.0",
    ]);
    const heads = [];
    for (const key of ["l", "l", "m", "m", "m", "h"]) {
      await press(page, key);
      heads.push(await get(page, "head"));
    }
    expect(heads).toEqual([0, 1, "mean", "max", 1, 0]);
    await press(page, "o");
    expect(await get(page, "level")).toBe("block");
  });

  it("of self-attention that was not recorded says so", async () => {
    const page = await focused(await live("quick"));
    await press(page, "t");
    expect(await page.textContent(".as-key-note")).toBe("self-attention was not recorded");
  });

  it("of comparing", async () => {
    const page = await focused(
      await live("quick", { level: "head", layer: "up.1.0", head: 1, token: 3, step: 12, compare: { step: 2 } }),
    );
    await page.waitForFunction(() => !document.querySelector(".as-coarse, .as-stale"));
    const a = await pixels(page, ".as-role-a .as-map");
    await page.keyboard.down("b");
    await settle(page);
    const b = await pixels(page, ".as-role-a .as-map");
    expect(b).not.toBe(a);
    await page.keyboard.up("b");
    await settle(page);
    expect(await pixels(page, ".as-role-a .as-map")).toBe(a);
    await page.keyboard.down("b");
    await page.evaluate(() => window.dispatchEvent(new Event("blur"))); // another window: the key never comes up here
    await settle(page);
    expect(await pixels(page, ".as-role-a .as-map")).toBe(a);
    await page.keyboard.up("b");
    await press(page, "d");
    expect(await get(page, "compare_as")).toBe("difference");
    await press(page, "d", "x");
    expect([await get(page, "compare_as"), await get(page, "step"), await get(page, "compare")]).toEqual([
      "side",
      2,
      { step: 12 },
    ]);
  });

  it("of comparing, with nothing compared", async () => {
    const page = await focused(await live("quick", { token: 3 }));
    await press(page, "b");
    expect(await page.textContent(".as-key-note")).toContain("nothing is compared");
    await press(page, "x");
    expect(await get(page, "compare")).toBe(null);
    await press(page, "d");
    expect([await get(page, "compare_as"), await page.locator(".as-role-difference").count()]).toEqual([
      "difference",
      1,
    ]);
  });

  it("of the page: code, full screen", async () => {
    const page = await focused(
      await show("quick", { token: 3 }, { permissions: ["clipboard-read", "clipboard-write"] }),
    );
    await press(page, "y");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("token=[3]");
    await press(page, "f");
    await page.waitForFunction(() => document.fullscreenElement?.className.includes("attnscope"));
    await press(page, "f");
    await page.waitForFunction(() => !document.fullscreenElement);
    await page.evaluate(() => {
      Element.prototype.requestFullscreen = () => Promise.reject(new TypeError("not in this frame"));
    });
    await press(page, "f");
    expect(await page.textContent(".as-key-note")).toBe("the page does not allow full screen: not in this frame");
  });
});

describe("the notebook around", () => {
  it("sees keys with modifiers and Tab, and no other", async () => {
    const page = await focused(await live("both", { token: 3 }));
    const ours = "abcdefghijklmnopqrstuvwxyzNA0123456789[]\\,.<>/?-=;'".split("");
    for (const key of [...ours, "ArrowDown", "ArrowUp", "Home", "End", "PageDown", "Delete"]) await press(page, key);
    if (await page.locator("dialog").count()) await press(page, "Escape");
    expect(await leaked(page)).toEqual([]);
    await page.focus(".attnscope"); // "/" has led into a field
    await page.keyboard.press("Control+s");
    await page.keyboard.press("Alt+j");
    expect(await leaked(page)).toEqual(["Control", "s", "Alt", "j"]);
  });

  it("is where one comes by Esc, pin and word and level first", async () => {
    const page = await live("quick", { level: "head", layer: "up.1.0", head: 1, token: 3, uv: [0.5, 0.3] });
    await page.focus('.as-tile[data-head="1"]');
    const seen = [];
    for (let i = 0; i < 5; i++) {
      await press(page, "Escape");
      seen.push([await get(page, "uv"), await get(page, "token"), await level(page)]);
    }
    expect(seen).toEqual([
      [null, 3, "head"],
      [null, null, "head"],
      [null, null, "layer"],
      [null, null, "unet"],
      [null, null, "unet"],
    ]);
    expect(await page.evaluate(() => document.activeElement === document.body)).toBe(true);
  });

  it("is reached by Tab from everywhere inside, through one stop for each group", async () => {
    const page = await live("both", { token: 3 });
    await page.evaluate(() => {
      document.body.prepend(Object.assign(document.createElement("button"), { id: "before", textContent: "before" }));
      document.body.append(Object.assign(document.createElement("button"), { id: "after", textContent: "after" }));
    });
    await page.waitForTimeout(600); // tab stops are kept when things have settled
    await page.focus("#before");
    const stops: string[] = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => document.activeElement?.id || String(document.activeElement?.className));
      stops.push(at);
      if (at === "after") break;
    }
    expect(stops.at(-1)).toBe("after");
    expect(stops.filter((at) => at.includes("as-tile")).length).toBe(2); // the sites, and the heads that follow the word
    expect(stops.filter((at) => at.includes("as-chip")).length).toBe(1);
    expect(stops.filter((at) => at.includes("as-picture")).length).toBe(1);
    for (let i = 0; i < stops.length; i++) await page.keyboard.press("Shift+Tab");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("before");
  });
});

describe("arrows", () => {
  it("walk the words, Enter chooses one, and Tab comes back to it", async () => {
    const page = await live("quick");
    await page.waitForTimeout(600);
    await page.focus('.as-chip[tabindex="0"], .as-chip:not([tabindex="-1"])');
    const at = () => page.evaluate(() => (document.activeElement as HTMLElement).dataset.token);
    expect(await at()).toBe("0");
    await press(page, "ArrowRight", "ArrowRight", "ArrowRight");
    expect(await at()).toBe("3");
    await press(page, "Enter");
    expect(await get(page, "token")).toBe(3);
    await press(page, "ArrowLeft");
    await page.waitForTimeout(600);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Shift+Tab");
    expect(await at()).toBe("2");
  });

  it("walk heads, and Shift+Enter adds one", async () => {
    const page = await live("quick", { level: "layer", layer: "up.1.0", token: 3 });
    await page.focus('.as-tile[data-head="1"]');
    await press(page, "Shift+Enter", "ArrowRight", "Shift+Enter");
    expect(await get(page, "head")).toEqual([1, 2]);
  });
});

describe("the list of keys", () => {
  it("takes the focus, gives it back, and is all there is to be read", async () => {
    const page = await live("quick");
    await page.focus('.as-tile[data-layer="mid.0"]');
    await press(page, "?");
    expect(await page.evaluate(() => document.activeElement?.closest("dialog")?.className)).toBe("as-help");
    const text = (await page.textContent(".as-help")) as string;
    for (const said of ["previous, next step", "mean, max, one head", "the difference", "full screen"])
      expect(text).toContain(said);
    await press(page, "j"); // not a key of the list
    expect(await level(page)).toBe("unet");
    await press(page, "Escape");
    expect(await page.locator("dialog").count()).toBe(0);
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-layer"))).toBe("mid.0");
    await press(page, "?", "?");
    expect(await page.locator("dialog").count()).toBe(0);
    expect(await leaked(page)).toEqual([]);
  });

  it("closes by its button and by a click beside it", async () => {
    const page = await show("quick");
    await page.click(".as-help-button");
    await page.click(".as-help .as-close");
    expect(await page.locator("dialog").count()).toBe(0);
    await page.click(".as-help-button");
    await page.mouse.click(4, 4);
    await settle(page);
    expect(await page.locator("dialog").count()).toBe(0);
    expect(await legend(page)).toContain("cross-attention");
  });

  it.each([
    [320, 1],
    [420, 2],
    [1280, 2],
  ])("is as broad as %i px allow, and scrolls only down", async (width, columns) => {
    const page = await show("quick", {}, { viewport: { width, height: 700 } });
    await page.click(".as-help-button");
    const groups = await page.$$eval(".as-help section", (all) => all.map((one) => one.getBoundingClientRect().x));
    expect(new Set(groups.map(Math.round)).size).toBe(columns);
    expect(await page.$eval(".as-help", (one) => one.scrollWidth <= one.clientWidth)).toBe(true);
  });
});
