/** The scope as a reader of an exported page meets it. */

import { describe, expect, it } from "vitest";
import { page as build } from "../captures.ts";
import { blank, legend, level, pixels, point, settle, show, value } from "./pages.ts";

describe("looking", () => {
  it("shows sixteen sites, the picture, a bar for every word, and says what is in force", async () => {
    const page = await show("quick");
    expect(await page.locator(".as-tile[data-layer]").count()).toBe(16);
    expect(await page.locator(".as-chip").count()).toBe(10);
    expect(await page.locator(".as-bar").count()).toBe(10);
    expect(await legend(page)).toBe(
      "cross-attention, mean of 16 layers (each on 16×16 by nearest cell), mean of 4 heads, step 19/20 (t=48), " +
        "strongest prompt word of each pixel; bos, eos and padding left out; not renormalised; " +
        "16×16, shown without smoothing; 8-bit.",
    );
  });

  it("drills by click from the UNet to a layer to a head, and back by the breadcrumb", async () => {
    const page = await show("quick", { token: 3 });
    await page.click('.as-tile[data-layer="up.1.0"]');
    expect(await level(page)).toBe("layer");
    expect(
      await page.$$eval(".as-tile[data-head]", (tiles) => tiles.map((tile) => tile.getAttribute("data-head"))),
    ).toEqual(["mean", "max", "0", "1", "2", "3"]);
    await settle(page);
    expect(await legend(page)).toContain("scale shared by all maps shown");
    await page.click('.as-tile[data-head="1"]');
    expect(await level(page)).toBe("head");
    await settle(page);
    expect(await legend(page)).toMatch(
      /^cross-attention, up\.1\.0 \(up_blocks\.1\.attentions\.0\.transformer_blocks\.0\.attn2\), head 1, step 19\/20 \(t=48\), token ‘circle’; linear, own scale 0 to /,
    );
    await page.click(".as-crumb >> nth=1");
    expect(await level(page)).toBe("layer");
    await page.click(".as-crumb >> nth=0");
    expect(await level(page)).toBe("unet");
  });

  it("moves bars and read-out with the pointer, and a crosshair in every tile", async () => {
    const page = await show("quick", { token: 3 });
    const rest = await value(page, 3);
    await point(page, ".as-picture", 0.5, 0.3);
    const inside = Number(await value(page, 3));
    expect(await page.textContent(".as-readout")).toContain("of 16×16 · (0.50, 0.30)");
    await point(page, ".as-picture", 0.05, 0.95);
    expect(Number(await value(page, 3))).toBeLessThan(inside);
    const crosses = await page.$$eval(".as-tile .as-cross", (all) =>
      all.map((cross) => (cross as HTMLElement).style.transform),
    );
    expect(new Set(crosses).size).toBe(1);
    expect(crosses[0]).toMatch(/^translate\(5\./);
    expect(Number(await page.textContent(".as-total .as-value"))).toBeCloseTo(1, 2);
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await value(page, 3)).toBe(rest);
  });

  it("shows the map of a hovered word everywhere, and takes it back", async () => {
    const page = await show("quick");
    const before = await pixels(page, '.as-tile[data-layer="mid.0"] canvas');
    await point(page, '.as-chip[data-token="3"]', 0.5, 0.5);
    expect(await pixels(page, '.as-tile[data-layer="mid.0"] canvas')).not.toBe(before);
    expect(await legend(page)).toContain("token ‘circle’");
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await pixels(page, '.as-tile[data-layer="mid.0"] canvas')).toBe(before);
  });

  it("shows a hovered tile in the detail pane", async () => {
    const page = await show("quick", { token: 3 });
    await point(page, '.as-tile[data-layer="down.1.0"] .as-thumb', 0.5, 0.3);
    expect(await page.textContent(".as-picture-title")).toContain("down.1.0");
    expect(await legend(page)).toContain("down.1.0 (down_blocks.1");
  });

  it("pins a word and a pixel by click, and unpins by a second click or Esc", async () => {
    const page = await show("quick");
    await page.click('.as-chip[data-token="7"]'); // two pieces of one word
    expect(await page.getAttribute('.as-chip[data-token="7"]', "aria-pressed")).toBe("true");
    await point(page, ".as-picture", 0.5, 0.7);
    await page.mouse.down();
    await page.mouse.up();
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.textContent(".as-readout")).toContain("(0.50, 0.70)");
    await page.keyboard.press("Escape");
    await settle(page);
    expect(await page.textContent(".as-readout")).toContain("mean over all pixels");
    await page.keyboard.press("Escape");
    expect(await page.getAttribute('.as-chip[data-token="7"]', "aria-pressed")).toBe("false");
  });
});

describe("steps", () => {
  it("scrub: the maps and, on request, the picture of that step", async () => {
    const page = await show("quick", { token: 3 });
    const first = await pixels(page, ".as-map");
    const picture = await pixels(page, ".as-base");
    await page.locator(".as-scrubber input[type=range]").fill("4");
    await page.waitForFunction(() => document.querySelector(".as-legend")?.textContent?.includes("step 4/20 (t=761)"));
    expect(await page.getAttribute(".as-scrubber input", "aria-valuetext")).toBe("step 4 of 20, t 761");
    expect(await pixels(page, ".as-map")).not.toBe(first);
    expect(await pixels(page, ".as-base")).toBe(picture);
    await page.getByRole("button", { name: "this step" }).click();
    await page.waitForFunction(() => (document.querySelector(".as-base") as HTMLCanvasElement).width === 64);
    await page.getByRole("button", { name: "final" }).click();
    await page.waitForFunction(() => (document.querySelector(".as-base") as HTMLCanvasElement).width === 256);
  });

  it("play, and stop", async () => {
    const page = await show("quick", { token: 3, step: 0 });
    await page.click(".as-play");
    await page.waitForFunction(
      () => Number((document.querySelector(".as-scrubber input") as HTMLInputElement).value) >= 3,
    );
    await page.click(".as-play");
    const stopped = await page.inputValue(".as-scrubber input");
    await page.waitForTimeout(400);
    expect(await page.inputValue(".as-scrubber input")).toBe(stopped);
  });
});

describe("keys", () => {
  it("walk, drill, go up, and never reach the page around", async () => {
    const page = await show("quick");
    await page.evaluate(() => {
      Object.assign(window, { leaked: [] });
      document.addEventListener("keydown", (event) =>
        (window as unknown as { leaked: string[] }).leaked.push(event.key),
      );
    });
    await page.focus(".attnscope");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-layer"))).toBe("down.1.0");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-layer"))).toBe("up.2.0");
    await page.keyboard.press("Enter");
    expect(await level(page)).toBe("layer");
    for (const key of ["l", "l", "l", "h"]) await page.keyboard.press(key);
    expect(await page.textContent(".as-crumbs")).toBe("UNetup.2.0head 1");
    await page.keyboard.press("j");
    expect(await page.textContent(".as-crumbs")).toBe("UNetup.2.1head 1");
    for (const key of ["]", "]", "n", "N", "c", ","]) await page.keyboard.press(key);
    await settle(page);
    await page.waitForFunction(() => document.querySelector(".as-legend")?.textContent?.includes("step 18/20"));
    expect(await legend(page)).toContain("token ‘a’; square root, scale shared by all maps shown");
    expect(await page.inputValue("select[aria-label='colour map']")).toBe("cividis");
    await page.keyboard.press("\\");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Backspace");
    expect(await level(page)).toBe("unet");
    expect(await page.evaluate(() => (window as unknown as { leaked: string[] }).leaked)).toEqual([]);
  });

  it("move the cell in the picture", async () => {
    const page = await show("quick", { token: 3, level: "layer", layer: "up.1.0" });
    await page.focus(".as-picture");
    await page.keyboard.press("ArrowLeft");
    await settle(page);
    expect(await page.textContent(".as-readout")).toContain("y 2, x 1 of 4×4");
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowUp");
    await settle(page);
    expect(await page.textContent(".as-readout")).toContain("y 1, x 1 of 4×4");
  });
});

describe("states", () => {
  it("a prompt is text, whatever it says", async () => {
    const page = await show("hostile");
    await page.hover(".as-chip >> nth=1");
    await page.click('.as-tile[data-layer="mid.0"]');
    await settle(page);
    expect(await page.evaluate(() => "pwned" in window)).toBe(false);
    expect(await page.locator(".attnscope script, .attnscope img").count()).toBe(0);
    expect(await page.textContent(".as-prompt")).toContain("</script><script>window.pwned=1</script>");
  });

  it("what was not captured keeps its place and says why", async () => {
    const page = await show("partial");
    expect(await page.locator(".as-missing").count()).toBe(4);
    expect(await page.getAttribute('[data-missing="down.0.0"]', "title")).toContain("not asked for (layers=)");
    expect(await page.textContent(".as-sites")).toContain("4 of 16 cross-attention sites were not captured");
    expect(await page.textContent(".as-words")).toContain("the tokenizer dropped: and a signature");
    await page.selectOption("select[aria-label=image]", "1");
    await page.waitForFunction(() => document.querySelector(".as-legend")?.textContent?.includes("image 1"));
  });

  it("cells that are not numbers are counted", async () => {
    const page = await show("partial", { level: "head", layer: "down.1.0", head: 0, token: 0 });
    await page.waitForFunction(() =>
      document.querySelector(".as-legend")?.textContent?.includes("3 cells are not a number (magenta)"),
    );
  });

  it("what a file does not hold is an error in its pane, with the coarse map still there", async () => {
    const page = await show("partial", { level: "layer", layer: "up.3.2", token: 2 });
    await page.waitForSelector(".as-error");
    expect(await page.textContent(".as-error")).toContain("this file does not hold the layer up.3.2 of step 16");
    expect(await page.locator(".as-error button").count()).toBe(2);
    expect(await page.locator(".as-picture-pane.as-coarse").count()).toBe(1);
  });

  it("a head that is not here shows the mean of heads in its place, and says so", async () => {
    const page = await show("partial", { level: "head", layer: "up.3.2", head: 1, token: 2 });
    await page.waitForSelector(".as-error");
    expect(await page.textContent(".as-badge")).toBe("head 1 is not here: mean of heads");
    expect(await page.textContent(".as-legend")).toMatch(/up\.3\.2 .*mean of \d heads/);
    const colours = await page.evaluate(() => {
      const map = document.querySelector<HTMLCanvasElement>(".as-map") as HTMLCanvasElement;
      const { data } = (map.getContext("2d") as CanvasRenderingContext2D).getImageData(0, 0, map.width, map.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    expect(colours).toBeGreaterThan(4);
    expect(await page.locator('.as-tile[data-head="1"].as-stale').count()).toBe(1);
  });

  it("a map that is not here leaves the one before as it was", async () => {
    const page = await show("partial", { level: "layer", layer: "up.1.0", token: 2, step: 4, scale: "own" });
    const head = '.as-tile[data-head="0"]';
    const before = await pixels(page, `${head} canvas`);
    await page.$eval(".as-scrubber input[type=range]", (input) => {
      (input as HTMLInputElement).value = "0";
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await page.waitForSelector(`${head}.as-stale`);
    await settle(page);
    expect(await pixels(page, `${head} canvas`)).toBe(before);
  });

  it("a page cut short says so where the scope would be", async () => {
    const text = build("tiny").replace(/<script type="text\/plain"[\s\S]*?<\/script>/, "");
    const page = await blank();
    await page.setContent(text);
    await page.waitForSelector(".as-error");
    expect(await page.textContent(".as-error")).toContain("this page lacks its part 'attnscope-data'");
  });

  it("the scale of all steps comes from the ranges", async () => {
    const page = await show("quick", { token: 3, level: "head", layer: "up.1.0", head: 2, scale: "run" });
    await page.waitForFunction(() =>
      document.querySelector(".as-legend")?.textContent?.includes("scale shared by all captured steps"),
    );
    const ends = async () => (await legend(page))?.match(/0 to ([\d.]+)/)?.[1];
    const before = await ends();
    await page.locator(".as-scrubber input[type=range]").fill("2");
    await page.waitForFunction(() => document.querySelector(".as-legend")?.textContent?.includes("step 2/20"));
    expect(await ends()).toBe(before);
  });

  it("unknown words are positions, and there may be no picture", async () => {
    const page = await show("tiny");
    expect(await page.textContent(".as-words")).toContain("words are positions");
    expect(await page.locator(".as-picture-pane.as-bare").count()).toBe(1);
    expect(await page.locator(".as-picture-head .as-segments").count()).toBe(0);
  });
});

describe("leaving", () => {
  it("copies the code of what is shown", async () => {
    const page = await show(
      "quick",
      { token: 3, level: "head", layer: "up.1.0", head: 2 },
      { permissions: ["clipboard-read", "clipboard-write"] },
    );
    await page.click(".as-copy");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      'cap.layer("up.1.0").sel(step=19, head=2, token=[3]).sum("token")',
    );
  });
});

describe("the page around", () => {
  it("decides the theme, now and later", async () => {
    const page = await show("tiny", {}, { colorScheme: "dark" });
    expect(await page.getAttribute(".attnscope", "data-theme")).toBe("dark");
    await page.evaluate(() => document.body.setAttribute("data-jp-theme-light", "true"));
    await page.waitForSelector('.attnscope[data-theme="light"][data-palette="host"]');
    const forced = await show("tiny", { theme: "dark" }, { colorScheme: "light" });
    expect(await forced.getAttribute(".attnscope", "data-theme")).toBe("dark");
  });

  it.each([
    [1280, "wide"],
    [800, "medium"],
    [640, "stacked"],
    [420, "narrow"],
  ])("at %i px it is %s, and nothing sticks out", async (width, breadth) => {
    const page = await show("quick", {}, { viewport: { width: (width as number) + 18, height: 900 } });
    await page.waitForSelector(`.attnscope[data-breadth="${breadth}"]`);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
});
