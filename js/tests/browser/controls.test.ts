/** Steps, words and colours under a reader's hands. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { painted } from "./chromium.ts";
import { live, pixels, settle, show, value } from "./pages.ts";

const step = (page: Page) => page.inputValue(".as-scrubber input[type=range]");
const reads = (page: Page, text: string) =>
  page.waitForFunction((text) => document.querySelector(".as-legend")?.textContent?.includes(text), text);
const middle = async (page: Page, selector: string) => {
  const box = await page.locator(selector).first().boundingBox();
  if (!box) throw new Error(`${selector} is not on the page`);
  return { x: box.x + box.width / 2, y: box.y + box.height / 2, box };
};

async function drag(page: Page, selector: string, by: number): Promise<void> {
  const { x, y } = await middle(page, selector);
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + by / 2, y);
  await page.mouse.move(x + by, y);
  await page.mouse.up();
  await settle(page);
}

describe("steps", () => {
  it("first, last and the slider's keys go by captured steps", async () => {
    const page = await show("partial", { step: 8 });
    expect(await step(page)).toBe("8");
    await page.focus(".as-scrubber input");
    await page.keyboard.press("ArrowRight");
    expect(await step(page)).toBe("12");
    await page.keyboard.press("Home");
    expect(await step(page)).toBe("0");
    await page.click('[aria-label="last step"]');
    expect(await step(page)).toBe("16");
    await page.click('[aria-label="first step"]');
    expect(await step(page)).toBe("0");
    await page.locator(".as-scrubber input").fill("11");
    expect(await step(page)).toBe("12");
  });

  it("of the run that were not captured are hatched, and the others written with their timesteps", async () => {
    const page = await show("partial");
    const gaps = await page.$$eval(".as-gap", (all) => all.map((gap) => gap.getAttribute("title")));
    expect(gaps).toEqual(
      ["1 to 3", "5 to 7", "9 to 11", "13 to 15", "17 to 19"].map((s) => `steps ${s} were not captured`),
    );
    expect((await page.locator(".as-step-labels span").allTextContents())[1]).toBe("4 t=761");
  });

  it("the wheel steps over them, and scrolls everywhere else", async () => {
    const page = await show("quick", { step: 9 }, { viewport: { width: 1280, height: 400 } });
    await page.evaluate(() => scrollTo(0, 1e6));
    const { x, y } = await middle(page, ".as-slider");
    const top = await page.evaluate(() => scrollY);
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, 120);
    await page.waitForFunction(() => (document.querySelector(".as-scrubber input") as HTMLInputElement).value === "10");
    expect(await page.evaluate(() => scrollY)).toBe(top);
    await page.mouse.move(x, (await middle(page, ".as-legend")).y);
    await page.mouse.wheel(0, -200);
    await page.waitForFunction((top) => scrollY < top, top);
    expect(await step(page)).toBe("10");
  });

  it("alt-click is B's", async () => {
    const page = await show("quick", { token: 3 });
    const { box, y } = await middle(page, ".as-scrubber input");
    await page.keyboard.down("Alt");
    await page.mouse.click(box.x + 6 + (4 / 19) * (box.width - 12), y);
    await page.keyboard.up("Alt");
    expect(await page.inputValue("select[aria-label='step of B']")).toBe("4");
    expect(await step(page)).toBe("19");
    expect(await page.getAttribute(".as-step-b", "title")).toBe("B is at step 4");
  });

  it("playback runs between two ends, dragged or moved by keys", async () => {
    const page = await show("quick", { step: 0, loop: "once", fps: 30 });
    const cell = (await middle(page, ".as-buffered")).box.width / 20;
    await drag(page, '[aria-label="playback ends"]', -12 * cell);
    await page.focus('[aria-label="playback begins"]');
    for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
    expect(await page.getAttribute('[aria-label="playback begins"]', "aria-valuetext")).toBe("step 5");
    expect(await page.getAttribute('[aria-label="playback ends"]', "aria-valuetext")).toBe("step 7");
    await page.click(".as-play");
    await page.waitForFunction(() => document.querySelector(".as-play")?.getAttribute("aria-label") === "play");
    expect(await step(page)).toBe("7");
    await page.locator('[aria-label="playback ends"]').dblclick();
    expect(await page.getAttribute('[aria-label="playback ends"]', "aria-valuetext")).toBe("step 19");
  });

  it("pace and what comes after the last are chosen", async () => {
    const page = await show("quick", { step: 18 });
    await page.selectOption("select[aria-label='steps a second']", "30");
    await page.selectOption("select[aria-label='at the end of the steps']", "once");
    await page.click(".as-play");
    await page.waitForSelector('.as-play[aria-label="play"]');
    expect(await step(page)).toBe("19");
  });

  it("colours stand still while they play, over all steps where that is known", async () => {
    const page = await show("quick", { token: 3, level: "head", layer: "up.1.0", head: 2, step: 2, fps: 20 });
    await page.click(".as-play");
    await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>(".as-scrubber input")?.value) > 6);
    await page.waitForFunction(() => !document.querySelector(".as-legend")?.textContent?.includes("≈"));
    const seen = await page.evaluate(async () => {
      const steps = new Set<unknown>();
      const ends = new Set<unknown>();
      while (steps.size < 4) {
        await new Promise(requestAnimationFrame);
        const [, step, end] =
          /step (\d+).* (0 to [^;]+)/.exec(document.querySelector(".as-legend")?.textContent ?? "") ?? [];
        steps.add(step);
        ends.add(end);
      }
      return [...ends];
    });
    expect(seen).toEqual([expect.stringMatching(/^0 to 0/)]);
    await page.click(".as-play");
  });

  it("else as wide as was seen, which is said", async () => {
    const page = await show("both", { kind: "self", level: "layer", layer: "up.3.1", fps: 4 });
    await page.click(".as-play");
    await reads(page, "≈ the widest range seen so far");
    expect(await page.textContent(".as-ticks")).toContain("≈");
    await page.click(".as-play");
    await page.waitForFunction(() => !document.querySelector(".as-legend")?.textContent?.includes("≈"));
  });
});

describe("words", () => {
  it("open into their pieces and close again by w", async () => {
    const page = await show("quick");
    await page.focus(".attnscope");
    await page.keyboard.press("w");
    await page.waitForSelector(".as-piece-inner");
    expect(await page.locator(".as-chip").count()).toBe(11);
    expect(await page.locator(".as-bar").count()).toBe(11);
    await page.click('.as-chip[data-token="8"]');
    await page.mouse.move(2, 2); // the chips without their colours are narrower
    await reads(page, "token ‘uare’");
    await page.keyboard.press("w");
    await page.waitForFunction(() => document.querySelectorAll(".as-chip").length === 10);
  });

  it("of a long prompt are found by their letters, which are no keys", async () => {
    const page = await show("long", { step: 10 });
    expect(await page.locator(".as-chip").count()).toBe(151);
    await page.focus(".attnscope");
    await page.keyboard.press("/");
    await page.waitForFunction(() => document.activeElement?.className === "as-find");
    await page.keyboard.type("circle");
    expect(await page.textContent(".as-finding span")).toBe(`${await page.locator(".as-chip").count()} of 151`);
    expect(new Set(await page.locator(".as-chip .as-word").allTextContents())).toEqual(new Set(["circle"]));
    await page.keyboard.press("Enter");
    await reads(page, "token ‘circle’");
    await page.keyboard.type("zz.");
    expect(await page.textContent(".as-chips")).toContain("no word of the prompt has ‘circlezz.’");
    expect(await step(page)).toBe("10");
    await page.keyboard.press("Escape");
    expect(await page.locator(".as-chip").count()).toBe(151);
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("attnscope");
  });

  it("of a short one have the box when it is asked for", async () => {
    const page = await show("quick");
    expect(await page.locator(".as-find").count()).toBe(0);
    await page.focus(".attnscope");
    await page.keyboard.press("/");
    await page.waitForSelector(".as-find:focus");
    await page.keyboard.press("Escape");
    expect(await page.locator(".as-find").count()).toBe(0);
  });

  it("take three lines at most, and scroll to the one that is chosen", async () => {
    const page = await show("long");
    expect((await middle(page, ".as-chips")).box.height).toBeLessThanOrEqual(96);
    await page.$$eval(".as-chip", (all) => (all[140] as HTMLElement).click());
    await settle(page);
    const { box } = await middle(page, ".as-chips");
    const chip = (await middle(page, '.as-chip[aria-pressed="true"]')).box;
    expect(chip.y + chip.height).toBeLessThanOrEqual(box.y + box.height);
  });

  it("several have a colour each or are summed", async () => {
    const page = await show("quick", { token: 2 });
    expect(await page.locator(".as-hues").count()).toBe(0);
    await page.click('.as-chip[data-token="3"]', { modifiers: ["Shift"] });
    const hues = await pixels(page, ".as-map");
    expect(await page.locator(".as-chip .as-swatch:not(.as-none)").count()).toBe(2);
    await painted(page, () => page.getByRole("button", { name: "sum" }).click());
    expect(await pixels(page, ".as-map")).not.toBe(hues);
    expect(await page.locator(".as-chip .as-swatch:not(.as-none)").count()).toBe(0);
    expect(await page.locator(".as-ticks").isVisible()).toBe(true);
  });

  it("a seventh finds no colour, and is told so", async () => {
    const page = await show("quick", { token: [1, 2, 3, 4, 5, 6] });
    await page.click('.as-chip[data-token="7"]', { modifiers: ["Shift"] });
    expect(await page.getAttribute('.as-chip[data-token="7"]', "aria-pressed")).toBe("false");
    expect(await page.textContent(".as-refused")).toContain("at most 6 words have a colour each");
    await page.waitForFunction(() => document.querySelector(".as-said")?.textContent?.includes("‘square’"));
    await page.getByRole("button", { name: "sum" }).click();
    await page.click('.as-chip[data-token="7"]', { modifiers: ["Shift"] });
    expect(await page.getAttribute('.as-chip[data-token="7"]', "aria-pressed")).toBe("true");
    expect(await page.locator(".as-refused").count()).toBe(0);
    expect(await page.getByRole("button", { name: "hues" }).isDisabled()).toBe(true);
  });
});

describe("colours", () => {
  const end = (which: "lowest" | "highest") => `[aria-label="${which} colour"]`;

  it("end where their handles are dragged, until a double click", async () => {
    const page = await live("quick", { token: 3 });
    const { box } = await middle(page, ".as-histogram");
    const before = await pixels(page, ".as-map");
    await drag(page, end("highest"), -box.width / 2);
    expect(await pixels(page, ".as-map")).not.toBe(before);
    expect(await page.inputValue("select[aria-label=scale]")).toBe("fixed");
    const high = Number(await page.getAttribute(end("highest"), "aria-valuetext"));
    expect(await page.getAttribute(end("highest"), "aria-valuenow")).toMatch(/^0\.(49|50|51)/);
    expect(await page.locator(".as-ticks span").last().textContent()).toBe(String(high));
    await page.waitForFunction(() => window.kernel.get("scale") === "fixed");
    expect(await page.evaluate(() => window.kernel.get("limits"))).toEqual([0, expect.closeTo(high, 3)]);
    await page.locator(end("highest")).dblclick();
    await settle(page);
    expect(await page.inputValue("select[aria-label=scale]")).toBe("auto");
    expect(await pixels(page, ".as-map")).toBe(before);
    await page.waitForFunction(() => window.kernel.get("limits") === null);
  });

  it("end where keys move them", async () => {
    const page = await show("quick", { token: 3 });
    await page.focus(end("lowest"));
    for (let i = 0; i < 3; i++) await painted(page, () => page.keyboard.press("PageUp"));
    await painted(page, () => page.keyboard.press("ArrowLeft"));
    expect(Number(await page.getAttribute(end("lowest"), "aria-valuenow"))).toBeCloseTo(0.29, 2);
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("lowest colour");
  });

  it("a fixed scale begins with what is on screen", async () => {
    const page = await show("quick", { token: 3 });
    const before = await pixels(page, ".as-map");
    await painted(page, () => page.selectOption("select[aria-label=scale]", "fixed"));
    expect(await pixels(page, ".as-map")).toBe(before);
  });

  it("have a histogram of what shares the scale, and none where there is no one scale", async () => {
    const page = await show("quick", { token: 3, level: "layer", layer: "up.1.0" });
    const path = () => page.getAttribute(".as-histogram path", "d");
    const shared = await path();
    await painted(page, () => page.selectOption("select[aria-label=scale]", "own"));
    expect(await path()).not.toBe(shared);
    await painted(page, () => page.selectOption("select[aria-label=transform]", "rank"));
    expect(await page.locator(".as-histogram").isVisible()).toBe(false);
    await painted(page, () => page.selectOption("select[aria-label=transform]", "uniform"));
    expect(await page.locator(".as-ticks span").last().textContent()).toMatch(/×$/);
  });

  it("run between percentiles, over other tables, smoothly: one click further", async () => {
    const page = await show("quick", { token: 3 });
    expect(await page.locator(".as-more").isVisible()).toBe(false);
    await page.click(".as-more-button");
    const before = await pixels(page, ".as-map");
    await painted(page, () => page.selectOption("select[aria-label^=percentiles]", "[1,99]"));
    expect(await pixels(page, ".as-map")).not.toBe(before);
    await painted(page, () => page.selectOption("select[aria-label='colour map']", "magma"));
    await painted(page, () => page.getByLabel("smooth").check());
    expect(await page.getAttribute(".as-map", "class")).toContain("as-smooth");
    await page.selectOption("select[aria-label=scale]", "fixed");
    expect(await page.locator("select[aria-label^=percentiles]").isDisabled()).toBe(true);
  });

  it("lie on the picture as colours, as a mask, as a line", async () => {
    const page = await show("quick", { token: 3 });
    const way = "select[aria-label='how the map lies on the picture']";
    const before = await pixels(page, ".as-map");
    await painted(page, () => page.selectOption(way, "mask"));
    expect(await pixels(page, ".as-map")).not.toBe(before);
    await painted(page, () => page.selectOption(way, "contour"));
    expect(await page.getAttribute(".as-contour path", "d")).toMatch(/^M/);
    expect(await page.locator(".as-overlay input").isDisabled()).toBe(true);
  });
});

describe("tokens that do not count", () => {
  it("leave the bars and the sum, and their chips say why", async () => {
    const page = await show("quick", { token: 3 });
    const share = Number(await value(page, 3));
    await painted(page, () => page.getByLabel("BOS").uncheck());
    await painted(page, () => page.getByLabel("pad").uncheck());
    expect(await page.locator(".as-bar").count()).toBe(8);
    expect(Number(await page.textContent(".as-total .as-value"))).toBeLessThan(0.9);
    expect(await page.getAttribute(".as-dropped >> nth=0", "title")).toContain("does not count");
    await painted(page, () => page.getByLabel("renormalise").check());
    expect(Number(await page.textContent(".as-total .as-value"))).toBeCloseTo(1, 2);
    expect(Number(await value(page, 3))).toBeGreaterThan(share);
    await page.getByLabel("BOS").focus();
    await page.keyboard.press("Space");
    expect(await page.locator(".as-bar").count()).toBe(9);
    expect(await page.locator('.as-play[aria-label="play"]').count()).toBe(1);
  });

  it("are only those that the prompt has, and none of pixels", async () => {
    const page = await show("long");
    expect(await page.locator(".as-counting .as-check").allTextContents()).toEqual(["EOS", "pad", "renormalise"]);
    const self = await show("both", { kind: "self" });
    expect(await self.locator(".as-counting").count()).toBe(0);
  });
});

describe("all of it", () => {
  it.each([1280, 800, 420, 320])("fits %i px", async (width) => {
    const page = await show("long", { token: [8, 9] }, { viewport: { width: width + 18, height: 900 } });
    await page.click(".as-more-button");
    const over = await page.$$eval(".as-controls, .as-words, .as-scrubber", (parts) => {
      const root = (document.querySelector(".attnscope") as HTMLElement).getBoundingClientRect();
      return parts
        .flatMap((part) => [...part.querySelectorAll("button, select, input, label, output")])
        .filter((each) => !each.closest(".as-chips"))
        .filter(
          (each) => each.getBoundingClientRect().right > root.right || each.getBoundingClientRect().left < root.left,
        )
        .map((each) => each.outerHTML);
    });
    expect(over).toEqual([]);
  });
});
