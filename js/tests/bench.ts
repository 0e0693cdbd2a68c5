/** `npm run bench`: first paint and the cost of a hover, as JSON. Nothing here fails; tests never time. */

import type { Page } from "playwright-core";
import { launch, open } from "./browser/chromium.ts";
import { page as build } from "./captures.ts";

const HOVERS = 300;

interface Timing {
  frames: number[];
  latencies: number[];
}

const browser = await launch();
const results: Record<string, unknown> = {};

for (const [name, capture, traits] of [
  ["overview, 16 sites of SD1.5 at 32²", "sd15", { token: 3 }],
  ["overview, strongest word", "sd15", {}],
  ["heads grid, 8 heads of 64²", "sd15_64", { token: 3, level: "layer", layer: "up.3.1" }],
  ["head, 64²", "sd15_64", { token: 3, level: "head", layer: "up.3.1", head: 2 }],
] as const) {
  const { page } = await open(browser, build(capture, traits));
  // Since the page was asked for; `open` comes back when the scope has painted.
  const first_paint_ms = await page.evaluate(() => Math.round(performance.now()));
  await page.waitForTimeout(1500);
  results[name] = {
    first_paint_ms,
    "hover pixel": await measure(page, "pixel"),
    "hover word": await measure(page, "word"),
  };
  await page.context().close();
}
await browser.close();
console.log(JSON.stringify(results, null, 2));

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
    const done = new Promise<void>((resolve) => {
      window.requestAnimationFrame = (callback) =>
        native((time) => {
          const start = performance.now();
          callback(time);
          void root.offsetHeight; // style and layout belong to the cost
          spent += performance.now() - start;
          resolve();
        });
    });
    const handled = performance.now();
    if (what === "pixel") {
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
