/** `node tests/browser/screenshots.ts <folder> [only]`: every level, width and theme as PNGs, to be looked at. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Pin, Traits } from "../../src/scope/state.ts";
import { page as build } from "../captures.ts";
import { launch, open } from "./chromium.ts";

const [folder = "screenshots", only = ""] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

type Shot = [name: string, capture: string, traits: Partial<Traits>, widths: number[], click?: string];
const cat = { token: 3 };
const pins: Pin[] = [
  { state: { level: "head", layer: "up.2.1", head: 3, step: 14, ...cat, uv: [0.5, 0.3] }, note: "sharp" },
  { state: { step: 19 }, note: "" },
  {
    state: { level: "head", layer: "up.2.1", head: 1, step: 19, ...cat, blend: "contour" },
    note: "where half of it is",
  },
];
const shots: Shot[] = [
  ["overview", "sd15", {}, [1280, 1000, 800, 620, 420]],
  ["overview-token", "sd15", { ...cat, uv: [0.5, 0.3], step: 14 }, [1280, 800, 420]],
  ["layer", "sd15", { level: "layer", layer: "up.2.1", ...cat, uv: [0.5, 0.3] }, [1280, 800, 420]],
  ["head", "sd15", { level: "head", layer: "up.2.1", head: 3, ...cat, uv: [0.5, 0.3] }, [1280, 800, 420]],
  ["sdxl", "sdxl", { token: 3 }, [1280]],
  ["sdxl-layer", "sdxl", { token: 3, level: "layer", layer: "up.0.1.2" }, [1280]],
  ["tall", "tall", { token: 3, uv: [0.5, 0.3] }, [1280, 420]],
  ["broad", "broad", {}, [1280, 800, 420]],
  ["best", "both", { ...cat }, [1280, 800, 620, 420]],
  ["tiny", "tiny", {}, [1280]],
  ["partial", "partial", {}, [1280, 420]],
  ["self-overview", "both", { kind: "self" }, [1280, 420]],
  ["self-overview-pin", "both", { kind: "self", uv: [0.5, 0.3] }, [1280]],
  ["self-layer", "both", { kind: "self", level: "layer", layer: "up.3.1", uv: [0.5, 0.3] }, [1280]],
  ["self-head", "both", { kind: "self", level: "head", layer: "up.3.1", head: 1, uv: [0.5, 0.3] }, [1280, 800, 420]],
  ["hues", "both", { token: [2, 3, 7] }, [1280]],
  [
    "compare",
    "sd15",
    { level: "head", layer: "up.2.1", head: 3, ...cat, uv: [0.5, 0.3], compare: { step: 2 } },
    [1280, 800, 420],
  ],
  ["long", "long", { token: [8, 9, 16], drop: ["pad"] }, [1280, 800, 420]],
  ["fixed", "sd15", { level: "layer", layer: "up.2.1", ...cat, scale: "fixed", limits: [0.05, 0.3] }, [1280, 420]],
  ["log", "sd15", { ...cat, transform: "log", blend: "mask", drop: ["bos", "pad"], renormalise: true }, [1280]],
  ["span", "sd15", { ...cat, span: [4, 12], loop: "bounce", compare: { step: 2 } }, [1280, 420]],
  ["compare-overview", "sd15", { ...cat, compare: { token: 7 } }, [1280]],
  ["compare-runs", "pair", { token: 3, compare: { capture: 1 }, compare_as: "swipe" }, [1280]],
  ["pins", "sd15", { ...cat, pins }, [1280, 800, 420], ".as-tray"],
  ["export", "sd15", { ...cat, compare: { step: 2 } }, [1280, 420], ".as-leave"],
  ["block", "both", { level: "block", layer: "up.3.1", ...cat }, [1280, 800, 420]],
  ["block-deep", "stack", { level: "block", layer: "up.0.1.3", ...cat, uv: [0.5, 0.3] }, [1280, 800, 420]],
  ["block-broad", "broad", { level: "block", layer: "up.2.1" }, [1280]],
  ["block-tall", "tall", { level: "block", layer: "up.2.1" }, [1280]],
  ["overview-deep", "many", { ...cat }, [1280, 800, 420]],
  [
    "heads-many",
    "forty",
    { level: "layer", layer: "up.1.0", ...cat, head: [1, 3], sort: "similarity" },
    [1280, 800, 420],
  ],
  ["preview", "sd15", { show_preview: true, step: 6, token: 3 }, [1280]],
];

const browser = await launch();
for (const [name, capture, traits, widths, click] of shots) {
  if (!name.includes(only)) continue;
  const text = build(capture, traits);
  for (const theme of ["light", "dark"] as const) {
    for (const width of widths) {
      if (theme === "dark" && width !== widths[0] && width !== 420) continue;
      const { page, complaints } = await open(browser, text, {
        viewport: { width: width + 16, height: 900 },
        colorScheme: theme,
      });
      if (click) await page.click(click);
      await page.mouse.move(2, 2);
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`), fullPage: true });
      if (complaints.length) console.log(name, width, theme, complaints);
      await page.context().close();
    }
  }
}
await browser.close();
