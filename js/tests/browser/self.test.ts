import { describe, expect, it } from "vitest";
import { level, live, pixels, point, settle, show } from "./pages.ts";

const readout = (page: import("playwright-core").Page) => page.textContent(".as-readout-value");

describe("self-attention", () => {
  it("shows what every pixel receives until one is pinned, then where that one attends to", async () => {
    const page = await show("both", { kind: "self" });
    expect(await page.textContent(".as-picture-title")).toContain("received attention");
    const received = await pixels(page, ".as-tile[data-layer='up.3.1'] canvas");
    await page.locator(".as-picture").click({ position: { x: 220, y: 130 } });
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.textContent(".as-picture-title")).toContain("attends to");
    expect(await pixels(page, ".as-tile[data-layer='up.3.1'] canvas")).not.toBe(received);
  });

  it("a head has both directions; rows sum to 1, and a hover asks the kernel for nothing", async () => {
    const page = await live("both", { kind: "self", level: "head", layer: "up.3.1", head: 1 });
    await settle(page);
    await page.waitForTimeout(300);
    const asked = await page.evaluate(() => window.kernel.asked.length);
    await point(page, ".as-role-row .as-picture", 0.5, 0.3);
    expect(await readout(page)).toBe("row sums to 1.000");
    const row = await pixels(page, ".as-role-row .as-map");
    const column = await pixels(page, ".as-role-column .as-map");
    await point(page, ".as-role-row .as-picture", 0.5, 0.75);
    expect(await pixels(page, ".as-role-row .as-map")).not.toBe(row);
    expect(await pixels(page, ".as-role-column .as-map")).not.toBe(column);
    expect(await page.evaluate(() => window.kernel.asked.length)).toBe(asked);
  });

  it("lists the strongest keys, each a query to be, and keeps a trail", async () => {
    const page = await show("both", { kind: "self", level: "head", layer: "up.3.1", head: 1, uv: [0.5, 0.3] });
    const values = await page.$$eval(".as-keys .as-value", (all) => all.map((each) => Number(each.textContent)));
    expect(values).toHaveLength(8);
    expect([...values].sort((a, b) => b - a)).toEqual(values);
    const where = await page.textContent(".as-readout-where");
    await page.click(".as-keys .as-bar:nth-child(4)");
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.textContent(".as-readout-where")).not.toBe(where);
    expect(await page.locator(".as-role-row .as-trail").count()).toBe(1);
    await page.click(".as-role-row .as-trail");
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.textContent(".as-readout-where")).toBe(where);
  });

  it("goes from one kind to the other and back at the same place", async () => {
    const page = await show("both", { level: "layer", layer: "up.2.1", token: 3 });
    await page.click(".as-kinds button:has-text('self')");
    await settle(page);
    expect(await level(page)).toBe("layer");
    expect(await page.textContent(".as-crumbs")).toContain("up.2.1");
    expect(await page.locator(".as-bar[data-token]").count()).toBe(0);
    await page.click(".as-kinds button:has-text('cross')");
    await settle(page);
    expect(await page.textContent(".as-picture-title")).toContain("‘circle’");
  });

  it("says what was not recorded", async () => {
    const page = await show("quick");
    const button = page.locator(".as-kinds button:has-text('self')");
    expect(await button.isDisabled()).toBe(true);
    expect(await button.getAttribute("title")).toContain("was not recorded");
  });

  it("a box of queries gives the mean of their rows", async () => {
    const page = await show("both", {
      kind: "self",
      level: "head",
      layer: "up.2.1",
      head: 0,
      region: [0.3, 0.2, 0.7, 0.45],
    });
    await settle(page);
    expect(await readout(page)).toBe("row sums to 1.000");
    expect(await page.textContent(".as-readout-where")).toContain("of the box");
  });
});
