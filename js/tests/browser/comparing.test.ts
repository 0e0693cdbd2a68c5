import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { legend, level, pixels, point, settle, show, value } from "./pages.ts";

const title = (page: Page, role: string) => page.textContent(`.as-role-${role} .as-picture-title`);
const numbers = (page: Page) => page.$$eval(".as-numbers dd", (all) => all.map((each) => each.textContent ?? ""));
const at_head = { level: "head", layer: "up.2.1", head: 3, token: 3 } as const;

describe("comparing", () => {
  it("asks only what differs: another step, side by side, with the difference and its numbers", async () => {
    const page = await show("quick", at_head);
    await page.click("button:has-text('compare')");
    await settle(page);
    expect(await title(page, "a")).toBe("A · step 19");
    expect(await title(page, "b")).toBe("B · step 0");
    await page.selectOption("select[aria-label='step of B']", "4");
    await settle(page);
    expect(await title(page, "b")).toBe("B · step 4");
    const [correlation, divergence, moved, limit] = await numbers(page);
    expect(Number(correlation)).toBeGreaterThan(-1);
    expect(divergence).toMatch(/^\d\.\d{3} bits$/);
    expect(moved).toMatch(/ px$/);
    expect(limit).toMatch(/^±.* at 8×8$/);
    expect(await legend(page)).toContain("step 19");
  });

  it("of the same with itself nothing is left", async () => {
    const page = await show("quick", { ...at_head, step: 7, compare: { step: 7 } });
    await settle(page);
    expect((await numbers(page)).slice(0, 3)).toEqual(["1.00", "0.000 bits", "0.0 px"]);
    await point(page, ".as-role-difference .as-picture", 0.5, 0.4);
    expect(await page.textContent(".as-role-difference .as-pane-value")).toBe("+0.000");
  });

  it("shows the difference at a point as A less B", async () => {
    const page = await show("quick", { ...at_head, compare: { step: 0 } });
    await point(page, ".as-role-a .as-picture", 0.5, 0.3);
    const of = async (role: string) =>
      Number((await page.textContent(`.as-role-${role} .as-pane-value`))?.replace("−", "-"));
    expect(await of("difference")).toBeCloseTo((await of("a")) - (await of("b")), 2);
  });

  it("takes the coarser grid where layers differ", async () => {
    const page = await show("quick", { ...at_head, layer: "up.3.1", head: "mean", compare: { layer: "up.1.0" } });
    await settle(page);
    expect((await numbers(page))[3]).toContain("at 4×4");
    expect(await title(page, "b")).toBe("B · up.1.0");
  });

  it("finds words of another run by name, and none that it lacks", async () => {
    const page = await show("pair", { token: 3, compare: { capture: 1 }, level: "layer", layer: "up.2.0" });
    await settle(page);
    expect(await title(page, "b")).toContain("“");
    expect(await numbers(page)).not.toContain("–");
  });

  it.each(["swipe", "difference", "blink"] as const)("%s", async (way) => {
    const page = await show("quick", { ...at_head, compare: { token: 6 } }, { reducedMotion: "reduce" });
    const before = await pixels(page, ".as-role-a .as-map");
    await page.click(`.as-compare button:has-text('${way}')`);
    await settle(page);
    expect(await page.locator(".as-picture-pane").count()).toBe(1);
    if (way === "blink") expect(await pixels(page, ".as-map")).toBe(before);
    if (way === "difference") {
      expect(await pixels(page, ".as-map")).not.toBe(before);
      expect(await page.textContent(".as-ticks")).toMatch(/^-.*0.*/);
    }
    if (way === "swipe") {
      expect(await pixels(page, ".as-map")).toBe(before);
      expect(await pixels(page, ".as-second")).not.toBe(before);
      await page.fill(".as-swipe", "20");
      expect(await page.$eval(".as-picture-pane", (pane) => pane.getAttribute("style"))).toContain("20%");
    }
  });

  it("exchanges A and B, and ends", async () => {
    const page = await show("quick", { ...at_head, compare: { head: 1 } });
    await page.click("button:has-text('swap')");
    await settle(page);
    expect(await title(page, "a")).toBe("A · head 1");
    expect(await title(page, "b")).toBe("B · head 3");
    await page.click("[aria-label='end the comparison']");
    await settle(page);
    expect(await page.locator(".as-compare").count()).toBe(0);
    expect(await level(page)).toBe("head");
  });

  it("takes B from a word, a head or a layer that is clicked with alt", async () => {
    const page = await show("quick", { token: 3 });
    await page.click(".as-chip[data-token='6']", { modifiers: ["Alt"] });
    await settle(page);
    expect(await title(page, "b")).toBe("B · ‘blue’");
    await page.click(".as-tile[data-layer='up.1.0']", { modifiers: ["Alt"] });
    await settle(page);
    expect(await page.locator("select[aria-label='layer of B']").inputValue()).toBe('"up.1.0"');
  });
});

describe("several words, heads and pixels", () => {
  it("words have colours of their own, or are summed", async () => {
    const page = await show("quick", { token: [2, 3], uv: [0.5, 0.3] });
    const mixed = await pixels(page, ".as-map");
    expect(await page.locator(".as-chip[aria-pressed='true'] .as-swatch").count()).toBe(2);
    const [red, circle] = [Number(await value(page, 2)), Number(await value(page, 3))];
    const said = Number((await page.textContent(".as-readout-value"))?.split(" ")[0]);
    expect(said).toBeCloseTo(red + circle, 2);
    const summed = await show("quick", { token: [2, 3], hues: false });
    expect(await pixels(summed, ".as-map")).not.toBe(mixed);
  });

  it("heads that are clicked with shift are averaged", async () => {
    const page = await show("quick", { level: "layer", layer: "up.2.1", token: 3, uv: [0.5, 0.3] });
    const of = async (head: number) => Number(await page.textContent(`.as-tile[data-head='${head}'] .as-tile-value`));
    const [one, three] = [await of(1), await of(3)];
    await page.click(".as-tile[data-head='1']", { modifiers: ["Shift"] });
    await page.click(".as-tile[data-head='3']", { modifiers: ["Shift"] });
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await level(page)).toBe("layer");
    expect(await page.textContent(".as-picture-title")).toContain("mean of heads 1 and 3");
    expect(Number((await page.textContent(".as-readout-value"))?.split(" ")[0])).toBeCloseTo((one + three) / 2, 2);
  });

  it("a dragged box gives means over its cells, and Escape lets it go", async () => {
    const page = await show("quick", { level: "head", layer: "up.2.1", head: 1, token: 3 });
    const box = await page.locator(".as-picture").boundingBox();
    if (!box) throw new Error("no picture");
    const [x, y] = [(u: number) => box.x + u * box.width, (v: number) => box.y + v * box.height];
    await page.mouse.move(x(0.26), y(0.26));
    await page.mouse.down();
    await page.mouse.move(x(0.4), y(0.4));
    await page.mouse.move(x(0.49), y(0.49));
    await page.mouse.up();
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.textContent(".as-readout-where")).toContain("mean over 4 cells of the box");
    const mean = Number(await value(page, 3));
    let sum = 0;
    for (const [u, v] of [
      [0.3, 0.3],
      [0.3, 0.45],
      [0.45, 0.3],
      [0.45, 0.45],
    ] as const) {
      await point(page, ".as-picture", u, v);
      sum += Number(await value(page, 3));
    }
    expect(mean).toBeCloseTo(sum / 4, 2);
    await page.focus(".attnscope");
    await page.keyboard.press("Escape");
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.textContent(".as-readout-where")).not.toContain("box");
  });
});
