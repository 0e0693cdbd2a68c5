/** One headless Chromium, without GPU and without network, and what a page complained about. */

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });

export interface Opened {
  page: Page;
  complaints: string[];
  requests: string[];
}

const folder = mkdtempSync(join(tmpdir(), "attnscope-"));
let count = 0;

/** Opens a page from disk, as a reader of an exported file does. */
export async function open(browser: Browser, text: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const path = join(folder, `${count++}.html`);
  writeFileSync(path, text);
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  const opened = watch(page);
  await page.goto(pathToFileURL(path).href);
  await page.waitForFunction(() => Number(document.querySelector(".attnscope")?.getAttribute("data-painted")) > 0);
  return opened;
}

/** Writes down what a page complains about and asks for. */
export function watch(page: Page): Opened {
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:") && !request.url().startsWith("blob:")) requests.push(request.url());
  });
  return { page, complaints, requests };
}

/** Runs `act`, then waits until the scope has painted after it. */
export async function painted(page: Page, act: () => Promise<unknown>): Promise<void> {
  const read = () => page.evaluate(() => Number(document.querySelector(".attnscope")?.getAttribute("data-painted")));
  const before = await read();
  await act();
  await page.waitForFunction(
    (n) => Number(document.querySelector(".attnscope")?.getAttribute("data-painted")) > n,
    before,
  );
  await page.evaluate(() => new Promise(requestAnimationFrame));
}
