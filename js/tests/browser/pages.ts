/** Pages that the browser's tests look at: exported ones, and one with a kernel that may fall silent. */

import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { Traits } from "../../src/scope/state.ts";
import type { Manifest } from "../../src/wire/protocol.ts";
import { page as build, synthetic } from "../captures.ts";
import { launch, type Opened, open, painted, watch } from "./chromium.ts";

let browser: Browser;
let opened: Opened[] = [];

beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

export async function show(capture: string, traits: Partial<Traits> = {}, options = {}): Promise<Page> {
  const one = await open(browser, build(capture, traits), options);
  opened.push(one);
  return one.page;
}

// Every test: no complaint on the console, nothing asked of any network.
afterEach(async () => {
  const seen = opened;
  opened = [];
  for (const { page } of seen) await page.context().close();
  expect(seen.flatMap(({ complaints }) => complaints)).toEqual([]);
  expect(seen.flatMap(({ requests }) => requests)).toEqual([]);
});

export const level = (page: Page) => page.getAttribute(".attnscope", "data-level");
export const legend = (page: Page) => page.textContent(".as-legend");
export const value = (page: Page, token: number) => page.textContent(`.as-bar[data-token="${token}"] .as-value`);
export const settle = (page: Page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
export const pixels = (page: Page, selector: string) =>
  page.$eval(selector, (canvas) => (canvas as HTMLCanvasElement).toDataURL());

export async function point(page: Page, selector: string, u: number, v: number): Promise<void> {
  const box = await page.locator(selector).first().boundingBox();
  if (!box) throw new Error(`${selector} is not on the page`);
  await painted(page, () => page.mouse.move(box.x + u * box.width, box.y + v * box.height));
  await settle(page);
}

export async function blank(options = {}): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })).newPage();
  opened.push(watch(page));
  return page;
}

/** What a test does to the kernel behind a live page, as `window.kernel`. */
export interface Kernel {
  alive: boolean;
  /** The comm is closed: nothing can be sent. */
  gone: boolean;
  /** An event of the host's, as `comm:close`. */
  tell(name: string): void;
  /** Keys that reached the page around. */
  leaked: string[];
  /** A trait set in Python. */
  set(name: string, value: unknown): void;
  get(name: string): unknown;
  /** Ends a view. */
  views: (() => void)[];
  /** What the browser asked for. */
  asked: string[];
  /** How often traits were written. */
  saved: number;
  /** A run that the scope follows: it is waited for, has begun, has so many steps more, is over. */
  run: { wait(): void; open(): void; grow(steps: number): void; end(): void };
}
declare global {
  interface Window {
    kernel: Kernel;
    attnscope: () => { initialize(props: object): void; render(props: object): () => void };
  }
}

const built = (name: string) => readFileSync(new URL(`../../../attnscope/static/${name}`, import.meta.url), "utf8");

/** The widget as a notebook runs it: a module, a model, several views, each in a shadow root where asked. */
export async function live(
  capture: string,
  traits: Partial<Traits> = {},
  { alive = true, views = 1, shadow = false, reducedMotion = null as "reduce" | null } = {},
): Promise<Page> {
  const page = await blank({ reducedMotion });
  const { traits: all, buffers, items, data } = synthetic(capture);
  const source = built("widget.js");
  await page.addScriptTag({
    type: "module",
    content: source.replace("export default attnscope", "window.attnscope = attnscope"),
  });
  await page.waitForFunction(() => "attnscope" in window);
  await page.evaluate(
    async ({ traits, buffers, items, data, alive, views, shadow }) => {
      const packed = new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]);
      const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
      const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
      for (const [name, [at, length]] of Object.entries(buffers)) traits[name] = bytes.subarray(at, at + length);
      const listeners = new Map<string, Set<(...args: unknown[]) => void>>();
      const tell = (name: string, ...args: unknown[]) => {
        for (const listener of listeners.get(name) ?? []) listener(...args);
      };
      const whole = traits._manifest as Manifest;
      const none = { steps: [], mass: {}, pictures: [], preview: null, live: true };
      let grown = 0;
      const run: Kernel["run"] = {
        wait: () => {
          const note = "with attnscope.capture(pipe, scope=scope):\n    pipe(...)";
          const nothing = { layers: [], tokens: [], images: [], branches: [], missing: [], prompt: null, note };
          grown = 0;
          kernel.set("_manifest", { ...whole, ...none, ...nothing, title: "waiting for the first step" });
        },
        open: () => kernel.set("_manifest", { ...whole, ...none, steps: [], mass: {} }),
        grow: (steps) => {
          for (const last = grown + steps; grown < last; grown++) {
            const step = whole.steps[grown] as { step: number };
            const id = `atlas|${step.step}|0|${whole.branches[0]}|`;
            const mass = Object.fromEntries(Object.entries(whole.mass).map(([layer, rows]) => [layer, rows[grown]]));
            tell("msg:custom", { type: "step", step, mass, items: [{ id, sections: items[id] }] }, [bytes]);
          }
        },
        end: () => {
          const mass = Object.entries(whole.mass).map(([layer, rows]) => [layer, rows.slice(0, grown)]);
          const steps = whole.steps.slice(0, grown);
          kernel.set("_manifest", { ...whole, steps, mass: Object.fromEntries(mass), live: false });
        },
      };
      const kernel: Kernel = {
        alive,
        gone: false,
        tell,
        leaked: [],
        views: [],
        asked: [],
        saved: 0,
        run,
        get: (name) => traits[name],
        set: (name, value) => {
          traits[name] = value;
          tell(`change:${name}`);
        },
      };
      window.kernel = kernel;
      document.addEventListener("keydown", (event) => kernel.leaked.push(event.key));
      const model = {
        get: (name: string) => traits[name],
        set: (name: string, value: unknown) => void (traits[name] = value),
        save_changes: () => void (kernel.saved += 1),
        on: (name: string, listener: () => void) =>
          void listeners.set(name, (listeners.get(name) ?? new Set()).add(listener)),
        off: (name: string, listener: () => void) => void listeners.get(name)?.delete(listener),
        send: ({ gen, items: asked }: { gen: number; items: { id: string }[] }) => {
          kernel.asked.push(...asked.map(({ id }) => id));
          if (kernel.gone) throw new Error("Comm is closed");
          const put = asked.filter(({ id }) => items[id]).map(({ id }) => ({ id, sections: items[id] }));
          const lacking = asked.filter(({ id }) => !items[id]);
          if (!kernel.alive) return;
          queueMicrotask(() => {
            if (put.length) tell("msg:custom", { type: "put", gen, items: put }, [bytes]);
            for (const { id } of lacking)
              tell("msg:custom", { type: "err", gen, id, text: `no ${id}`, trace: "Traceback" });
          });
        },
      };
      const widget = window.attnscope();
      const { signal } = new AbortController();
      widget.initialize({ model, signal });
      for (let i = 0; i < views; i++) {
        const host = document.body.appendChild(document.createElement("div"));
        const root = shadow ? host.attachShadow({ mode: "open" }) : host;
        const el = root.appendChild(document.createElement("div"));
        kernel.views.push(widget.render({ model, el, signal }));
      }
    },
    { traits: { ...all, ...traits } as Record<string, unknown>, buffers, items, data, alive, views, shadow },
  );
  await page.locator('.attnscope:not([data-painted="0"])').first().waitFor();
  await settle(page);
  return page;
}
