/** `npm run bench [page.html]`: first paint, hovers, steps and drilling, as JSON. Nothing here fails; tests never time. */

import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import type { Traits } from "../src/scope/state.ts";
import { launch, open } from "./browser/chromium.ts";
import { page as build } from "./captures.ts";

const HOVERS = 300;

interface Timing {
  frames: number[];
  latencies: number[];
}

const browser = await launch();
const results: Record<string, unknown> = {};

type Scene = [name: string, page: () => string, what: readonly ("pixel" | "word" | "step" | "drill")[]];

const of = (capture: string, traits: Partial<Traits>) => () => build(capture, traits);
const layer = (name: string) => ({ token: 3, level: "layer", layer: name }) as const;
const head = (name: string) => ({ token: 3, level: "head", layer: name, head: 2 }) as const;
/** A page that Scope.to_html wrote, of a run of the demo pipeline. */
const demo = process.argv[2];

const scenes: Scene[] = [
  ["overview, 16 sites of SD1.5 at 32²", of("sd15", { token: 3 }), ["pixel", "word", "step", "drill"]],
  ["overview, strongest word", of("sd15", {}), ["pixel", "word"]],
  ["overview, 70 layers of SDXL at 1024", of("sdxl_1024", { token: 3 }), ["pixel", "word", "step"]],
  ["heads grid, 8 heads of 64²", of("sd15_64", layer("up.3.1")), ["pixel", "word", "step"]],
  ["heads grid, 20 heads of 32², SDXL", of("sdxl_1024", layer("up.0.1.3")), ["pixel", "word", "step"]],
  ["heads grid, 10 heads of 64², SDXL", of("sdxl_1024", layer("up.1.0.0")), ["pixel", "word", "step"]],
  ["head, 64²", of("sd15_64", head("up.3.1")), ["pixel", "word", "step"]],
  ["A, B and difference, 64²", of("sd15_64", { ...head("up.3.1"), compare: { step: 0 } }), ["pixel", "word"]],
  ["self-attention, heads grid, 3 heads of 64²", of("both_64", { ...layer("up.3.1"), kind: "self" }), ["pixel"]],
  ["self-attention, head, both ways, 64²", of("both_64", { ...head("up.3.1"), kind: "self" }), ["pixel"]],
  ...(demo
    ? ([["overview, the demo", () => readFileSync(demo, "utf8"), ["pixel", "word", "step", "drill"]]] as Scene[])
    : []),
];

for (const [name, make, wanted] of scenes) {
  const text = make();
  const { page } = await open(browser, text);
  // Since the page was asked for; `open` comes back when the scope has painted.
  const first_paint_ms = await page.evaluate(() => Math.round(performance.now()));
  await page.waitForTimeout(1500);
  const result: Record<string, unknown> = { first_paint_ms };
  for (const what of wanted) {
    if (what === "drill") result.drill = await page.evaluate(time_drill);
    else result[what === "step" ? "step" : `hover ${what}`] = await measure(page, what);
  }
  results[name] = result;
  await page.context().close();
}
await browser.close();
console.log(JSON.stringify(results, null, 2));

/** In the page: from a click on a tile to something in its place, and to all of it. */
async function time_drill(): Promise<Record<string, number>> {
  const began = performance.now();
  (document.querySelector(".as-tile[data-layer='up.2.1']") as HTMLElement).click();
  while (!document.querySelector(".as-tile[data-head]")) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  const coarse_ms = performance.now() - began;
  while (document.querySelector(".as-coarse, .as-stale")) await new Promise(requestAnimationFrame);
  return { coarse_ms: Math.round(coarse_ms), full_ms: Math.round(performance.now() - began) };
}

/** Wall times, and what the page's own thread spent: the latter does not grow when the machine is busy with other work. */
async function measure(page: Page, what: string) {
  await browser.startTracing(page, { categories: ["devtools.timeline"] });
  const timing = await page.evaluate(time_hovers, { hovers: HOVERS, what });
  const trace = JSON.parse((await browser.stopTracing()).toString("utf8")) as {
    traceEvents: { name: string; tdur?: number }[];
  };
  const p95 = (name: string) => {
    const spent = trace.traceEvents.flatMap((event) => (event.name === name && event.tdur ? [event.tdur / 1000] : []));
    return percentile(spent, 0.95);
  };
  return {
    wall: summary(timing),
    thread_p95_ms: { frame: p95("FireAnimationFrame"), style: p95("UpdateLayoutTree"), layout: p95("Layout") },
  };
}

/**
 * In the page. `frame`: our work in the animation frame plus the style and layout it causes; `latency`: from the event
 * to the end of that frame, which includes the wait for it.
 */
async function time_hovers({ hovers, what }: { hovers: number; what: string }): Promise<Timing> {
  const root = document.querySelector(".attnscope") as HTMLElement;
  const picture = document.querySelector(".as-picture") as HTMLElement;
  const chips = [...document.querySelectorAll<HTMLElement>(".as-chip")];
  const box = picture.getBoundingClientRect();
  const frames: number[] = [];
  const latencies: number[] = [];
  const native = window.requestAnimationFrame.bind(window);
  for (let i = 0; i < hovers; i++) {
    const began = performance.now();
    let spent = 0;
    const before = root.dataset.painted;
    const done = new Promise<void>((resolve) => {
      window.requestAnimationFrame = (callback) =>
        native((time) => {
          const start = performance.now();
          callback(time);
          void root.offsetHeight; // style and layout belong to the cost
          spent += performance.now() - start;
          if (root.dataset.painted !== before) resolve(); // the chrome may have a frame of its own before
        });
    });
    const handled = performance.now();
    if (what === "step") {
      const to = i % 2 ? "next step" : "previous step";
      (document.querySelector(`button[aria-label="${to}"]`) as HTMLElement).click();
    } else if (what === "pixel") {
      const where = {
        clientX: box.left + box.width * ((i * 0.137) % 1),
        clientY: box.top + box.height * ((i * 0.311) % 1),
      };
      picture.dispatchEvent(new PointerEvent("pointermove", { ...where, bubbles: true }));
    } else {
      (chips[i % chips.length] as HTMLElement).dispatchEvent(new PointerEvent("pointerenter"));
    }
    spent += performance.now() - handled;
    await done;
    latencies.push(performance.now() - began);
    frames.push(spent);
    window.requestAnimationFrame = native;
  }
  return { frames, latencies };
}

function percentile(list: number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2));
}

function summary({ frames, latencies }: Timing) {
  return {
    frame_p50_ms: percentile(frames, 0.5),
    frame_p95_ms: percentile(frames, 0.95),
    frame_max_ms: percentile(frames, 1),
    latency_p95_ms: percentile(latencies, 0.95),
  };
}
