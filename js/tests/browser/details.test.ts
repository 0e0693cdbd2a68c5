/** Details of the page: what is said of no token, saved colours, odd pictures and prompts, and who cannot use a mouse. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { legend, point, settle, show } from "./pages.ts";

const box = async (page: Awaited<ReturnType<typeof show>>, selector: string) => {
  const found = await page.locator(selector).first().boundingBox();
  if (!found) throw new Error(`${selector} is not on the page`);
  return found;
};

describe("with no token chosen", () => {
  it("the read-out names the longest bar of the prompt, whatever its pieces", async () => {
    const page = await show("quick");
    for (const [u, v] of [
      [0.5, 0.3],
      [0.5, 0.7],
      [0.1, 0.9],
    ] as const) {
      await point(page, ".as-picture", u, v);
      const bars = await page.$$eval('.as-bar[data-kind="prompt"]', (rows) =>
        rows.map((row) => [row.querySelector(".as-value")?.textContent, row.querySelector(".as-word")?.textContent]),
      );
      const longest = bars.reduce((a, b) => (Number(b[0]) > Number(a[0]) ? b : a));
      expect(await page.textContent(".as-readout-value")).toBe(`${longest[0]} ‘${longest[1]}’`);
    }
  });

  it("a hovered word has its colour bar, and only then", async () => {
    const page = await show("quick");
    const seen = () =>
      Promise.all([".as-colour-bar", ".as-ticks", ".as-hint"].map((part) => page.locator(part).isVisible()));
    expect(await seen()).toEqual([false, false, true]);
    await point(page, '.as-chip[data-token="3"]', 0.5, 0.5);
    expect(await seen()).toEqual([true, true, false]);
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await seen()).toEqual([false, false, true]);
  });

  it("a saved picture says which colour is which word", async () => {
    const page = await show("quick");
    const download = page.waitForEvent("download");
    await page.click(".as-leave");
    await page.click(".as-save");
    const data = readFileSync(await (await download).path()).toString("base64");
    const wanted = await page.$$eval(".as-swatch", (all) => all.map((one) => getComputedStyle(one).backgroundColor));
    const found = await page.evaluate(async (data) => {
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context?.drawImage(bitmap, 0, 0);
      const below = 2 * (56 + 480); // the picture itself is over it
      const pixels = context?.getImageData(0, below, bitmap.width, bitmap.height - below).data ?? [];
      const colours = new Set<string>();
      for (let i = 0; i < pixels.length; i += 4) colours.add(`rgb(${pixels[i]}, ${pixels[i + 1]}, ${pixels[i + 2]})`);
      return [...colours];
    }, data);
    expect(found).toEqual(expect.arrayContaining([...new Set(wanted)]));
  });

  it("code for a map with gaps does not skip them", async () => {
    const page = await show(
      "partial",
      { level: "head", layer: "down.1.0", head: 0, token: 0 },
      { permissions: ["clipboard-read", "clipboard-write"] },
    );
    await page.waitForFunction(() => document.querySelector(".as-legend")?.textContent?.includes("not a number"));
    await page.click(".as-copy");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('.sum("token", skipna=False)');
  });
});

describe("pictures that are not square", () => {
  it.each(["broad", "tall"])(
    "labels and dashes of a %s one stand beside the middle of their tiles",
    async (capture) => {
      const page = await show(capture);
      const middle = async (selector: string) => {
        const { y, height } = await box(page, selector);
        return y + height / 2;
      };
      const tile = await middle(".as-u-row .as-thumb");
      expect(Math.abs((await middle(".as-u-row .as-u-grid")) - tile)).toBeLessThan(1.5);
      expect(Math.abs((await middle(".as-u-row .as-u-skip")) - tile)).toBeLessThan(1.5);
    },
  );

  it("the colour bar is as broad as the picture", async () => {
    const page = await show("tall", { token: 3 });
    const [bar, picture] = [await box(page, ".as-colour-bar"), await box(page, ".as-picture")];
    expect([bar.x, bar.width]).toEqual([picture.x, picture.width]);
  });
});

describe("long texts", () => {
  it("a long prompt scrolls in its bars where they have no pane of their own", async () => {
    const page = await show("partial", {}, { viewport: { width: 818, height: 900 } });
    expect((await box(page, ".as-bars")).height).toBeLessThanOrEqual(320);
    expect(
      await page.$eval(".as-bars", (bars) => bars.scrollHeight > 320 && bars.scrollWidth <= bars.clientWidth),
    ).toBe(true);
  });

  it("a long word ends in an ellipsis and is whole in its title", async () => {
    const page = await show("hostile");
    const chip = page.locator(".as-chip >> nth=1");
    expect(await chip.getAttribute("title")).toBe("<script>window.pwned=1</script>");
    const word = chip.locator(".as-word");
    expect(
      await word.evaluate((span) => [span.scrollWidth > span.clientWidth, getComputedStyle(span).textOverflow]),
    ).toEqual([true, "ellipsis"]);
    expect((await box(page, ".as-chip >> nth=1 >> .as-swatch")).width).toBe(8);
  });

  it("the module path is not cut", async () => {
    const page = await show("quick", { level: "layer", layer: "up.1.0" });
    const cut = await page.$eval(".as-layer-line code", (code) => code.scrollHeight - code.clientHeight);
    expect(cut).toBeLessThanOrEqual(0);
  });
});

describe("without a mouse", () => {
  it("the cell in the picture is let go by Esc and by leaving", async () => {
    const page = await show("quick", { token: 3, level: "layer", layer: "up.1.0" });
    const readout = async () => {
      await settle(page);
      return page.textContent(".as-readout-where");
    };
    await page.focus(".as-picture");
    await page.keyboard.press("ArrowLeft");
    expect(await readout()).toContain("y ");
    await page.keyboard.press("Escape");
    expect(await readout()).toBe("mean over all pixels");
    expect(await legend(page)).toContain("token ‘circle’");
    await page.keyboard.press("ArrowLeft");
    expect(await readout()).toContain("y ");
    await page.keyboard.press("Tab");
    expect(await readout()).toBe("mean over all pixels");
  });

  it("grids have rows, and the widget adds no landmark of a page", async () => {
    const page = await show("quick", { level: "layer", layer: "up.1.0" });
    expect(await page.locator('[role=grid] > [role=row] > [role="gridcell"]').count()).toBe(6);
    expect(await page.locator(".attnscope :is(main, header, footer)").count()).toBe(0);
  });

  it("one step has nothing to play", async () => {
    const page = await show("once");
    expect(await page.locator(".as-scrubber button:disabled").count()).toBe(5);
  });

  it("forced colours keep the slider's track and the tile that is open", async () => {
    const page = await show("quick", { level: "head", layer: "up.1.0", head: 1 }, { forcedColors: "active" });
    expect(await page.$eval("input[type=range]", (input) => getComputedStyle(input).backgroundImage)).toContain(
      "gradient",
    );
    expect(await page.$eval(".as-current .as-thumb", (thumb) => getComputedStyle(thumb).outlineStyle)).toBe("solid");
  });

  it("the list of keys fits a narrow page", async () => {
    const page = await show("quick", {}, { viewport: { width: 320, height: 700 } });
    await page.click(".as-help-button");
    const { x, width } = await box(page, ".as-help");
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + width).toBeLessThanOrEqual(320);
  });
});
