/** What leaves the page: pictures, vectors, tables, pins, and the state in the address. */

import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lut } from "../../src/maps/luts.ts";
import type { Pin, Traits } from "../../src/scope/state.ts";
import { legend, level, live, point, settle, show } from "./pages.ts";

const MARGIN = 16;
/** A title of one line, the panel's own, and where the first panel begins. */
const TOP = MARGIN + 17 + 6 + 15 + 2;
const SIZE = 480;

const head: Partial<Traits> = { level: "head", layer: "up.1.0", head: 2, token: 3 };
const clipboard = { permissions: ["clipboard-read", "clipboard-write"] };

async function save(page: Page, ...choices: [group: string, name: string][]): Promise<{ name: string; bytes: Buffer }> {
  if (!(await page.locator(".as-export").count())) await page.click(".as-leave");
  for (const [group, name] of choices) {
    await page.getByRole("group", { name: group, exact: true }).getByRole("button", { name, exact: true }).click();
  }
  const download = page.waitForEvent("download");
  await page.click(".as-save");
  const file = await download;
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

/** Size of a PNG, and the colours at some points of it. */
const look = (page: Page, bytes: Buffer, points: [number, number][]) =>
  page.evaluate(
    async ({ data, points }) => {
      const bitmap = await createImageBitmap(await (await fetch(data)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
      if (!context) throw new Error("no canvas");
      context.drawImage(bitmap, 0, 0);
      const colours = points.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3).join());
      return { width: bitmap.width, height: bitmap.height, colours };
    },
    { data: `data:image/png;base64,${bytes.toString("base64")}`, points },
  );

const rows = (bytes: Buffer) =>
  bytes
    .toString("utf8")
    .trim()
    .split("\r\n")
    .map((line) => (line.startsWith("#") ? [line] : line.split(",").map((cell) => cell.replace(/^"|"$/g, ""))));

describe("a picture", () => {
  it.each([1, 3])("at %ix shows every cell in its colour, on white, whatever the theme", async (scale) => {
    const page = await show("quick", { ...head, overlay: 1, theme: "dark" });
    const png = await save(page, ["format", "PNG"], ["size", `${scale}×`]);
    expect(png.name).toBe("attnscope-up.1.0-head-2-step-19-circle.png");
    const map = rows((await save(page, ["table", "map"])).bytes)
      .slice(2)
      .map((row) => row.map(Number));
    const [width, most] = [
      Math.max(...map.map(([, x]) => x as number)) + 1,
      Math.max(...map.map((row) => row[2] as number)),
    ];
    expect(map.length).toBe(width * width);
    const at = (i: number) => scale * (SIZE / width) * (i + 0.3);
    const points = map.map(([y, x]): [number, number] => [
      scale * MARGIN + at(x as number),
      scale * TOP + at(y as number),
    ]);
    const table = lut("viridis");
    const wanted = map.map(([, , value]) => {
      const word = table[Math.round((255 * (value as number)) / most)] as number;
      return [word & 255, (word >> 8) & 255, (word >> 16) & 255].join();
    });
    const seen = await look(page, png.bytes, [...points, [1, 1]]);
    expect(seen.width).toBe(scale * (SIZE + 2 * MARGIN));
    expect(seen.colours).toEqual([...wanted, "255,255,255"]);
  });

  it("as vectors has text, ticks and marks; maps alone are points", async () => {
    const page = await show("quick", { ...head, uv: [0.5, 0.3], region: [0.1, 0.2, 0.6, 0.7], blend: "contour" });
    const sentence = await legend(page);
    const coloured = await show("quick", head);
    const [lined, plain] = [
      (await save(page, ["format", "SVG"])).bytes.toString("utf8"),
      (await save(coloured, ["format", "SVG"])).bytes.toString("utf8"),
    ];
    const parse = (text: string) =>
      page.evaluate((text) => {
        const svg = new DOMParser().parseFromString(text, "image/svg+xml");
        const all = (name: string) => [...svg.querySelectorAll(name)];
        return {
          root: svg.documentElement.nodeName,
          texts: all("text").map((each) => each.textContent ?? ""),
          paths: all("path").map((each) => each.getAttribute("d") ?? ""),
          images: all("image").map((each) => [each.getAttribute("style"), each.getAttribute("href")?.slice(0, 22)]),
        };
      }, text);
    const [a, b] = [await parse(lined), await parse(plain)];
    expect([a.root, b.root]).toEqual(["svg", "svg"]);
    expect(a.texts.join(" ")).toContain(sentence ?? "");
    expect(a.texts.join(" ")).toContain("The line encloses the cells that hold half of the map’s mass.");
    expect(a.images).toEqual([[null, "data:image/png;base64,"]]); // the picture
    expect(a.paths.filter((d) => d.split("L").length > 4)).toHaveLength(2); // the contour, white on black
    expect(lined).toContain("stroke-dasharray");
    expect(b.images.map(([style]) => style)).toEqual([null, "image-rendering:pixelated", null]);
    const ticks = await coloured.$$eval(".as-ticks span", (spans) => spans.map((span) => span.textContent ?? ""));
    expect(b.texts).toEqual(expect.arrayContaining(ticks));
  });

  it("of any prompt is a file that parses and runs nothing", async () => {
    const page = await show("hostile");
    const { bytes } = await save(page, ["format", "SVG"]);
    const found = await page.evaluate((text) => {
      const svg = new DOMParser().parseFromString(text, "image/svg+xml");
      document.body.append(document.importNode(svg.documentElement, true));
      return {
        texts: [...svg.querySelectorAll("text")].map((each) => each.textContent).join(" "),
        wrong: svg.querySelectorAll("parsererror, script, img, foreignObject, [onerror], [onload]").length,
      };
    }, bytes.toString("utf8"));
    await settle(page);
    expect(found.wrong).toBe(0);
    expect(found.texts).toContain("<script>window.pwned=1</script>");
    expect(await page.evaluate(() => "pwned" in window)).toBe(false);
  });

  it("of the tiles has each of them, of a comparison A, B and what is between them", async () => {
    const page = await show("quick", { token: 3, level: "layer", layer: "up.1.0" });
    const tiles = await save(page, ["format", "SVG"]);
    expect(tiles.name).toBe("attnscope-up.1.0-heads-step-19-circle.svg");
    expect(tiles.bytes.toString("utf8").match(/image-rendering:pixelated/g)).toHaveLength(6);
    const other = await show("quick", { ...head, compare: { step: 2 }, compare_as: "swipe" });
    const compared = (await save(other, ["format", "SVG"])).bytes.toString("utf8");
    expect(compared.match(/image-rendering:pixelated/g)).toHaveLength(3);
    expect(compared).toContain("A − B (diff at 4×4");
    const [correlation, divergence] = await other.$$eval(".as-numbers dd", (all) => all.map((one) => one.textContent));
    const texts = [...compared.matchAll(/<text[^>]*>([^<]*)/g)].map(([, text]) => text).join(" ");
    expect(texts).toContain("B: the same with step 2");
    expect(texts).toContain(`Correlation ${correlation}, Jensen-Shannon divergence ${divergence}`);
    const swiped = (await save(other, ["figure", "picture"])).bytes.toString("utf8");
    expect(swiped.match(/<clipPath/g)).toHaveLength(2);
  });

  it("goes to the clipboard, or says what to do where that is refused", async () => {
    const page = await show("quick", head, clipboard);
    await page.click(".as-leave");
    await page.click(".as-copy-out");
    await page.waitForFunction(() => document.querySelector(".as-export-said")?.textContent === "copied");
    expect(await page.evaluate(async () => (await navigator.clipboard.read())[0]?.types)).toContain("image/png");
    await page.evaluate(() => Object.assign(window, { ClipboardItem: undefined }));
    await page.click(".as-copy-out");
    await page.waitForFunction(() =>
      document.querySelector(".as-export-said")?.textContent?.includes("save it as PNG"),
    );
  });
});

describe("a table", () => {
  it("of the words has the numbers of the bars, also of B", async () => {
    const page = await show("quick", { ...head, uv: [0.5, 0.3], compare: { step: 2 }, compare_as: "swipe" });
    const sentence = await legend(page);
    const bars = await page.$$eval(".as-bar", (all) =>
      all.map((bar) => [bar.getAttribute("data-token"), bar.querySelector(".as-value")?.textContent]),
    );
    const { name, bytes } = await save(page, ["table", "words"]);
    expect(name).toBe("attnscope-up.1.0-head-2-step-19-circle-compared-words.csv");
    const [about, titles, ...values] = rows(bytes);
    expect(about?.[0]).toMatch(/^# /);
    expect(about?.[0]).toContain(sentence);
    expect(about?.[0]).toContain("Values: y 1, x 2 of 4×4");
    expect(titles).toEqual(["token", "text", "word", "value", "value of B"]);
    const starts = bars.map(([token]) => Number(token));
    const sums = starts.map((start, i) =>
      values
        .filter(([token]) => Number(token) >= start && Number(token) < (starts[i + 1] ?? 999))
        .reduce((sum, row) => sum + Number(row[3]), 0),
    );
    expect(sums.map((sum) => (sum < 0.0005 ? "<.001" : sum.toFixed(3)))).toEqual(bars.map(([, value]) => value));
  });

  it("of self-attention is the map, and there is none of words", async () => {
    const page = await show("both", { kind: "self", level: "head", layer: "up.3.1", head: 1, uv: [0.5, 0.3] });
    await page.waitForFunction(() => document.querySelector(".as-readout-value")?.textContent?.startsWith("row sums"));
    const { bytes } = await save(page, ["table", "map"]);
    const [, titles, ...values] = rows(bytes);
    expect(titles).toEqual(["y", "x", "value"]);
    expect(values.reduce((sum, row) => sum + Number(row[2]), 0)).toBeCloseTo(1, 4);
    expect(await page.getByRole("button", { name: "words", exact: true }).count()).toBe(0);
  });
});

describe("the dialog", () => {
  it("opens by e, keeps the focus, closes by Esc and remembers", async () => {
    const page = await show("quick", head);
    await page.focus(".attnscope");
    await page.keyboard.press("e");
    await page.waitForSelector(".as-export");
    const inside = () => page.evaluate(() => document.activeElement?.closest(".as-export") !== null);
    for (let i = 0; i < 25; i++) {
      await page.keyboard.press(i % 3 ? "Tab" : "Shift+Tab");
      expect(await inside()).toBe(true);
    }
    await page.keyboard.press("c"); // not the scope's key now
    expect(await page.inputValue("select[aria-label='colour map']")).toBe("viridis");
    await page.getByRole("button", { name: "SVG", exact: true }).click();
    await page.keyboard.press("Escape");
    expect([await page.locator(".as-export").count(), await level(page)]).toEqual([0, "head"]);
    expect(await page.evaluate(() => document.activeElement?.className)).toBe("attnscope");
    await page.keyboard.press("e");
    expect(await page.textContent(".as-file")).toMatch(/\.svg$/);
  });
});

describe("pins", () => {
  const pins: Pin[] = [
    { state: { ...head, step: 5 }, note: "early" },
    { state: { level: "unet", step: 19 }, note: "" },
  ];

  it("are kept by p, named, ordered, gone back to and taken away, and Python hears of it", async () => {
    const page = await live("quick", { ...head, uv: [0.5, 0.3], cmap: "magma" });
    await page.focus(".attnscope");
    await page.keyboard.press("p");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("c");
    await page.keyboard.press("p");
    expect(await page.locator(".as-card").count()).toBe(2);
    await page.click(".as-card:nth-child(1) input");
    await page.keyboard.type("sharp, pe");
    await page.keyboard.press("Enter");
    await page.click(".as-card:nth-child(1) [aria-label$=later]");
    const kept = () => page.evaluate(() => window.kernel.get("pins") as unknown as Pin[]);
    await expect
      .poll(async () => (await kept()).map(({ note, state }) => [note, state.level, state.cmap]))
      .toEqual([
        ["", "layer", "gray"],
        ["sharp, pe", "head", "magma"],
      ]);
    await page.click(".as-card:nth-child(2) .as-card-go");
    await settle(page);
    expect([await level(page), await page.textContent(".as-crumbs")]).toEqual(["head", "UNetup.1.0head 2"]);
    expect(await page.textContent(".as-readout-where")).toContain("(0.50, 0.30)");
    await page.click(".as-card:nth-child(1) [aria-label^=remove]");
    await expect.poll(async () => (await kept()).map(({ note }) => note)).toEqual(["sharp, pe"]);
    expect(await page.evaluate(() => window.kernel.leaked)).toEqual([]);
  });

  it("have thumbnails, drawn as their packets come, without moving the view", async () => {
    const page = await show("quick", { pins });
    await page.click(".as-tray");
    await page.waitForFunction(
      () => document.querySelector(".as-card-title")?.textContent === "up.1.0, head 2 · ‘circle’",
    );
    const colours = () =>
      page.$$eval(".as-card canvas", (all) =>
        all.map((canvas) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const { data } = ((canvas as HTMLCanvasElement).getContext("2d") as CanvasRenderingContext2D).getImageData(
            0,
            0,
            width,
            height,
          );
          return new Set(new Uint32Array(data.buffer)).size;
        }),
      );
    for (const count of await colours()) expect(count).toBeGreaterThan(20);
    expect(await level(page)).toBe("unet");
    expect(await legend(page)).toContain("step 19/20");
  });

  it("leave as one sheet, also those that were never on screen", async () => {
    const page = await show("quick", { pins });
    const { name, bytes } = await save(page, ["figure", "pins"], ["format", "SVG"]);
    expect(name).toBe("attnscope-2-pins.svg");
    const texts = [...bytes.toString("utf8").matchAll(/<text[^>]*>([^<]*)/g)].map(([, text]) => text);
    expect(texts).toContain("1 · up.1.0, head 2 · ‘circle’");
    expect(texts.join(" ")).toMatch(
      /1\. early · cross-attention, up\.1\.0 .*step 5\/20.* 2\. cross-attention, mean of 16 layers/,
    );
  });
});

describe("the address of a page", () => {
  it("keeps the state, opens it again, and follows who changes it", async () => {
    const page = await show("quick");
    await page.click('.as-tile[data-layer="up.1.0"]');
    await page.click('.as-chip[data-token="3"]');
    await point(page, ".as-picture", 0.5, 0.3);
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForFunction(() => location.hash.includes("uv"));
    const hash = await page.evaluate(() => location.hash);
    expect(Object.keys(JSON.parse(decodeURIComponent(hash.slice(3))))).toEqual(["level", "layer", "token", "uv"]);
    await page.reload();
    await page.waitForSelector('.attnscope[data-level="layer"]');
    expect(await page.getAttribute('.as-chip[data-token="3"]', "aria-pressed")).toBe("true");
    await page.evaluate(() => (location.hash = `#s=${encodeURIComponent('{"level":"head","head":1,"step":4711}')}`));
    await page.waitForSelector('.attnscope[data-level="head"]');
    expect(await page.textContent(".as-crumbs")).toContain("head 1");
    expect(await legend(page)).toContain("step 19/20");
    await page.evaluate(() => (location.hash = ""));
    await page.waitForSelector('.attnscope[data-level="unet"]');
  });

  it.each(["#s=%", "#s=[1]", '#s={"level":"<img>","cmap":"jet","pins":[{"state":{"cmap":"jet"},"note":"<b>"}]}'])(
    "that is wrong (%s) breaks nothing",
    async (hash) => {
      const page = await show("quick");
      await page.evaluate((hash) => (location.hash = hash), hash);
      await page.reload();
      await page.waitForSelector('.attnscope[data-level="unet"]');
      await settle(page);
      expect(await page.locator(".as-error").count()).toBe(0);
    },
  );

  it("is left alone by a notebook", async () => {
    const page = await live("quick");
    await page.click('.as-tile[data-layer="up.1.0"]');
    await page.waitForFunction(() => window.kernel.saved > 0);
    expect(await page.evaluate(() => location.hash)).toBe("");
  });
});

describe("the state as Python", () => {
  it("is copied by its button", async () => {
    const page = await show("quick", { ...head, smooth: true }, clipboard);
    await page.click(".as-copy-state");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      'scope.state = {"level": "head", "layer": "up.1.0", "head": 2, "step": 19, "token": 3, "smooth": True}',
    );
  });
});
