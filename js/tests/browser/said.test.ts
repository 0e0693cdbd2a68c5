/** What stands beside a map says what is drawn, in every combination. */

import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Traits } from "../../src/scope/state.ts";
import { synthetic } from "../captures.ts";
import { legend, level, live, point, settle, show } from "./pages.ts";

const title = (page: Page, role: string) => page.textContent(`.as-role-${role} .as-picture-title`);
const value = (page: Page, role: string) => page.textContent(`.as-role-${role} .as-pane-value`);
const where = (page: Page) => page.textContent(".as-readout-where");
const readout = (page: Page) => page.textContent(".as-readout-value");
const at_head = { level: "head", layer: "up.2.1", head: 3, token: 3 } as const;

/** Whatever else is painted, the same is said. */
async function painted_again(page: Page): Promise<void> {
  await point(page, ".as-tile .as-thumb", 0.5, 0.5);
  await page.mouse.move(2, 2);
  await settle(page);
}

describe("A and B", () => {
  it("share a scale from the first time that they are painted, and in what leaves", async () => {
    const page = await show("quick", { ...at_head, step: 0, compare: { step: 1 } });
    await page.selectOption("select[aria-label='step of B']", "19");
    await settle(page);
    const first = await legend(page);
    await painted_again(page);
    expect(await legend(page)).toBe(first);
    await page.click(".as-leave");
    await page.getByRole("group", { name: "table" }).getByRole("button", { name: "map" }).click();
    const download = page.waitForEvent("download");
    await page.click(".as-save");
    const stream = await (await download).createReadStream();
    const text = (await stream.toArray()).map(String).join("");
    const scale = /scale shared by all maps shown 0 to [\d.e-]+/;
    expect(scale.exec(text)?.[0]).toBe(scale.exec(first ?? "")?.[0]);
  });

  it("A of an overview is the mean over layers, which cannot be B", async () => {
    const page = await show("quick", { token: 3 });
    await page.click(".as-tile[data-layer='up.1.0']", { modifiers: ["Alt"] });
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await title(page, "a")).toBe("A · mean of 16 layers");
    expect(await title(page, "b")).toBe("B · up.1.0");
    expect(await page.isDisabled("button:has-text('swap')")).toBe(true);
  });

  it("a grid shows the mean of its heads, and exchanging keeps it so", async () => {
    const page = await show("quick", { level: "layer", layer: "up.2.1", head: 1, token: 3, compare: { head: 2 } });
    await settle(page);
    expect([await title(page, "a"), await title(page, "b")]).toEqual(["A · mean of heads", "B · head 2"]);
    await page.click("button:has-text('swap')");
    await settle(page);
    expect([await title(page, "a"), await title(page, "b")]).toEqual(["A · head 2", "B · mean of heads"]);
  });

  it("follow the word under the pointer in name too", async () => {
    const page = await show("quick", { ...at_head, compare: { token: 6 } });
    await page.hover(".as-chip[data-token='2']");
    await settle(page);
    expect([await title(page, "a"), await title(page, "b")]).toEqual(["A · ‘red’", "B · ‘blue’"]);
  });

  it("are both named under a line that is moved", async () => {
    const page = await show("quick", { ...at_head, compare: { step: 4 }, compare_as: "swipe" });
    await settle(page);
    expect(await title(page, "swipe")).toBe("A · step 19 | B · step 4");
  });

  it("are told to who does not see them", async () => {
    const page = await show("quick", at_head);
    await page.click(".as-chip[data-token='6']", { modifiers: ["Alt"] });
    await page.locator(".as-said", { hasText: "compared" }).waitFor({ state: "attached" });
    expect(await page.locator("p.as-said").textContent()).toContain("compared: B has ‘blue’");
  });

  it("a tile under the pointer has no B", async () => {
    const page = await show("quick", { ...at_head, compare: { step: 4 } });
    await point(page, ".as-tile[data-head='1'] .as-thumb", 0.5, 0.5);
    expect(await legend(page)).toContain("head 1");
    expect(await legend(page)).not.toContain("B:");
  });

  it("words of the second prompt are called as they are there, and a word that it lacks is said to be lacking", async () => {
    const there = synthetic("pair").manifest.other?.tokens.find(({ word }) => word === "hat")?.token as number;
    const named = await show("pair", { token: 3, compare: { capture: 1, token: there } });
    await settle(named);
    expect(await title(named, "b")).toContain("‘hat’");
    expect(await named.locator("select[aria-label='token of B'] option:checked").textContent()).toBe("‘hat’");
    const lacking = await show("pair", { token: 4, compare: { capture: 1 } });
    await settle(lacking);
    expect(await title(lacking, "b")).toContain("strongest word");
    expect(await legend(lacking)).toContain("in the second capture with strongest prompt word of each pixel");
    const greyed = await lacking.$$eval(".as-lacking", (all) => all.map((chip) => chip.getAttribute("data-token")));
    expect(greyed).toContain("4");
    expect(greyed).not.toContain("3");
  });

  it("a word under the pointer that the second prompt lacks is no map of nothing", async () => {
    const page = await show("pair", { token: 3, compare: { capture: 1 } });
    await page.hover(".as-chip[data-token='4']");
    await settle(page);
    expect(await page.textContent(".as-role-b .as-badge")).not.toContain("constant");
    expect(await title(page, "b")).toContain("strongest word");
  });

  it("of self-attention are asked about the same pixel and counted in the same unit", async () => {
    const page = await show("both", { kind: "self", uv: [0.5, 0.3], compare: { layer: "up.3.1" } });
    await point(page, ".as-role-a .as-picture", 0.53, 0.36);
    const tile = await page.textContent(".as-tile[data-layer='up.3.1'] .as-tile-value");
    expect(tile).toMatch(/^\d+\.\d×$/);
    expect(Number(await value(page, "b"))).toBeCloseTo(Number.parseFloat(tile as string), 1);
  });
});

describe("the read-out", () => {
  it("speaks of a box only where the map is one of it", async () => {
    const box: Partial<Traits> = { kind: "self", region: [0.2, 0.2, 0.6, 0.6] };
    const all = await show("both", box);
    expect(await where(all)).toBe("column sums; 1 is an even share");
    const pinned = await show("both", { ...box, uv: [0.5, 0.3] });
    expect(await where(pinned)).toMatch(/^y /);
    const one = await show("both", { ...box, level: "head", layer: "up.3.1", head: 1 });
    expect(await where(one)).toMatch(/^mean over \d+ cells of the box$/);
  });

  it("in a block is that of the map under the pointer, whichever attention is open", async () => {
    const page = await show("stack", { level: "block", kind: "self", layer: "up.0.1.3", head: "max", token: 3 });
    await settle(page);
    expect(await title(page, "a")).toContain("mean of heads");
    await point(page, ".as-tile[data-kind=cross] .as-thumb", 0.5, 0.4);
    expect(await readout(page)).toMatch(/‘circle’$/);
    const bars = await page.$$eval(".as-chip-bar", (all) => all.map((bar) => (bar as HTMLElement).style.transform));
    expect(new Set(bars).size).toBeGreaterThan(2);
  });

  it("names a piece of a word, not the word", async () => {
    const page = await show("quick", { ...at_head, token: 7 });
    expect(await title(page, "a")).toContain("‘sq’");
    expect(await readout(page)).toMatch(/‘sq’$/);
    expect(await page.textContent(".as-concentration")).toContain("the mass of ‘sq’");
  });

  it("has nothing to say of words where there are none", async () => {
    const { manifest } = synthetic("both");
    const layers = manifest.layers.filter(({ kind }) => kind === "self");
    const _manifest = { ...manifest, layers, kinds: ["self"], tokens: [], mass: {} };
    const page = await show("both", { kind: "self", _manifest } as Partial<Traits>);
    expect(await page.textContent(".as-picture-title")).toContain("received attention");
    expect(await page.textContent(".as-words")).toBe("");
  });
});

describe("the legend", () => {
  it("has no line and no darkness of words in colours", async () => {
    for (const blend of ["contour", "mask"] as const) {
      const page = await show("quick", { blend });
      expect(await page.$eval(".as-map", (map) => (map as HTMLElement).style.opacity)).toBe("0.7");
      expect(await legend(page)).not.toMatch(/line around|darkened/);
    }
  });

  it("has no darkness where there is no picture", async () => {
    const page = await show("tiny", { blend: "mask", token: 2 });
    expect(await legend(page)).not.toContain("darkened");
  });

  it("says so where the run's ranges are not kept of these percentiles", async () => {
    const exact = await show("quick", { ...at_head, scale: "run", clip: [1, 99] });
    await settle(exact);
    expect(await legend(exact)).not.toContain("≈");
    const about = await show("quick", { ...at_head, scale: "run", clip: [5, 95] });
    await settle(about);
    expect(await legend(about)).toContain("clip 5–95 %");
    expect(await legend(about)).toContain("≈");
  });
});

describe("gestures", () => {
  it("alt-click is B on a bar and on a block's strip too", async () => {
    const page = await show("quick", { token: 3 });
    await page.click(".as-bar[data-token='6']", { modifiers: ["Alt"] });
    await settle(page);
    expect(await title(page, "b")).toBe("B · ‘blue’");
    const stack = await show("stack", { token: 3 });
    await stack
      .locator(".as-depths")
      .first()
      .click({ modifiers: ["Alt"], position: { x: 2, y: 5 } });
    await settle(stack);
    expect(await level(stack)).toBe("unet");
    expect(await title(stack, "b")).toMatch(/^B · .*\.0$/);
  });

  it("Enter opens a map that stands alone", async () => {
    const page = await show("stack", { level: "block", layer: "up.0.1.3", token: 3 });
    await page.focus(".as-tile[role=button][data-kind=cross]");
    await page.keyboard.press("Enter");
    await settle(page);
    expect(await level(page)).toBe("layer");
  });

  it("a finger that rests looks, one that taps pins", async () => {
    const page = await show("quick", at_head, { hasTouch: true });
    const finger = (name: string) =>
      page.$eval(
        ".as-picture",
        (picture, name) => {
          const { x, y, width, height } = picture.getBoundingClientRect();
          const at = {
            clientX: x + width / 2,
            clientY: y + height / 3,
            bubbles: true,
            pointerType: "touch",
            button: 0,
          };
          picture.dispatchEvent(name === "click" ? new MouseEvent(name, at) : new PointerEvent(name, at));
        },
        name,
      );
    await finger("pointerdown");
    await page.waitForTimeout(600);
    await settle(page);
    expect(await where(page)).toMatch(/^y /);
    for (const name of ["pointerup", "pointerleave", "click"]) await finger(name);
    await settle(page);
    expect(await where(page)).toBe("mean over all pixels");
    for (const name of ["pointerdown", "pointerup", "pointerleave", "click"]) await finger(name);
    await settle(page);
    expect(await where(page)).toMatch(/^y /);
  });

  it("a box that is dragged while a run goes on is the whole box", async () => {
    const page = await live("quick");
    const run = (what: "wait" | "open" | "grow") => page.evaluate((what) => window.kernel.run[what](1), what);
    for (const what of ["wait", "open", "grow"] as const) await run(what);
    const box = await page.locator(".as-picture").boundingBox();
    if (!box) throw new Error("no picture");
    await page.mouse.move(box.x + 0.26 * box.width, box.y + 0.26 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.3 * box.width, box.y + 0.3 * box.height);
    await run("grow");
    await settle(page);
    await page.mouse.move(box.x + 0.49 * box.width, box.y + 0.49 * box.height);
    await page.mouse.up();
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await where(page)).toBe("mean over 16 cells of the box");
  });
});
