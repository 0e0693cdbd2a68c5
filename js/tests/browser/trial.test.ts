/** What a new user stumbled over. */

import { describe, expect, it } from "vitest";
import { point, settle, show } from "./pages.ts";

const at_head = { level: "head", layer: "up.2.1", head: 3, token: 3 } as const;

describe("a first hour", () => {
  it("chips stay where they are when one is chosen: the next would slide under the pointer", async () => {
    const page = await show("quick");
    const places = () => page.$$eval(".as-chip", (all) => all.map((chip) => chip.getBoundingClientRect().left));
    const before = await places();
    await page.click(".as-chip[data-token='2']");
    await settle(page);
    expect(await places()).toEqual(before);
  });

  it("the line between A and B is dragged, and draws no box", async () => {
    const page = await show("quick", { ...at_head, compare: { step: 2 }, compare_as: "swipe" });
    const box = await page.locator(".as-picture").boundingBox();
    if (!box) throw new Error("no picture");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 3);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.25 * box.width, box.y + box.height / 2, { steps: 4 });
    await page.mouse.up();
    await settle(page);
    expect(await page.inputValue(".as-swipe")).toBe("25");
    expect(await page.textContent(".as-readout-where")).not.toContain("box");
  });

  it("the read-out of a comparison has A, B and what is between them", async () => {
    const page = await show("quick", { ...at_head, compare: { step: 2 }, compare_as: "difference" });
    await point(page, ".as-picture", 0.5, 0.3);
    const said = (await page.textContent(".as-readout-value")) as string;
    const [a, b, minus] = said.match(/[+−]?\d\.\d+/g)?.map((each) => Number(each.replace("−", "-"))) ?? [];
    expect(said).toMatch(/^A .* · B .* · [+−]/);
    // All of it is to be read: the difference stands last.
    const hidden = await page.$eval(".as-readout-value", (line) => line.scrollWidth - line.clientWidth);
    expect(hidden).toBe(0);
    expect(minus).toBeCloseTo((a as number) - (b as number), 2);
    expect(await page.locator(".as-cell").evaluate((cell) => getComputedStyle(cell).visibility)).toBe("visible");
  });

  it("Esc ends the comparison before it lets go of the word", async () => {
    const page = await show("quick", { ...at_head, compare: { step: 2 } });
    await page.focus(".attnscope");
    await page.keyboard.press("Escape");
    await settle(page);
    expect(await page.locator(".as-compare").count()).toBe(0);
    expect(await page.locator(".as-chip[aria-pressed='true']").count()).toBe(1);
  });
});
