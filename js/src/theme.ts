/** Which theme is in force, and telling when it changes. */

import type { Theme } from "./wire/protocol.ts";

export type Mode = "light" | "dark";

/** What the page around the widget says; null where only the reader's system does. */
export function host_mode(doc: Document): Mode | null {
  const { body, documentElement: html } = doc;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "false" ? "dark" : "light";
  // The light ones first: VS Code names a light theme of high contrast by both names.
  if (body.classList.contains("vscode-light") || body.classList.contains("vscode-high-contrast-light")) return "light";
  if (body.classList.contains("vscode-dark") || body.classList.contains("vscode-high-contrast")) return "dark";
  for (const element of [body, html]) {
    const named = element.getAttribute("theme") ?? element.dataset.theme;
    if (named === "dark" || named === "light") return named;
    if (element.classList.contains("dark")) return "dark";
  }
  return null;
}

/** Calls `apply` now and whenever the host's or the system's theme changes. */
export function watch_host(doc: Document, signal: AbortSignal, apply: () => void): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", apply, { signal });
  const observer = new MutationObserver(apply);
  const attributeFilter = ["class", "theme", "data-theme", "data-jp-theme-light", "data-jp-theme-name"];
  observer.observe(doc.body, { attributes: true, attributeFilter });
  observer.observe(doc.documentElement, { attributes: true, attributeFilter });
  signal.addEventListener("abort", () => observer.disconnect());
  apply();
}

export function apply_theme(root: HTMLElement, theme: Theme): void {
  const host = host_mode(root.ownerDocument);
  const system: Mode = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const mode = theme === "auto" ? (host ?? system) : theme;
  root.dataset.theme = mode;
  // The host's own colours only where they are of the theme that is wanted.
  root.dataset.palette = host === mode ? "host" : "own";
}
