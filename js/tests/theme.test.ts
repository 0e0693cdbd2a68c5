/** What each host says of its theme, as its pages say it. */

import { describe, expect, test } from "vitest";
import { host_mode } from "../src/theme.ts";

/** As much of an element as a theme is told by. */
const element = (classes = "", attributes: Record<string, string> = {}, dataset: Record<string, string> = {}) => ({
  classList: { contains: (name: string) => classes.split(" ").includes(name) },
  getAttribute: (name: string) => attributes[name] ?? null,
  dataset,
});

type Part = ReturnType<typeof element>;

const mode = (body: Part, html: Part = element()) => host_mode({ body, documentElement: html } as unknown as Document);

describe("the theme of the host", () => {
  test.each([
    ["JupyterLab, dark", element("", {}, { jpThemeLight: "false" }), undefined, "dark"],
    ["JupyterLab, light", element("", {}, { jpThemeLight: "true" }), undefined, "light"],
    ["VS Code, dark", element("vscode-dark"), undefined, "dark"],
    ["VS Code, light", element("vscode-light"), undefined, "light"],
    ["VS Code, high contrast", element("vscode-high-contrast"), undefined, "dark"],
    ["VS Code, light high contrast", element("vscode-high-contrast-light vscode-high-contrast"), undefined, "light"],
    ["Colab, dark", element(), element("", { theme: "dark" }), "dark"],
    ["marimo, dark", element("dark dark-theme", {}, { theme: "dark" }), undefined, "dark"],
    ["marimo, light", element("light light-theme", {}, { theme: "light" }), undefined, "light"],
    ["Sphinx, dark", element(), element("", {}, { theme: "dark" }), "dark"],
    ["a page that says nothing", element(), undefined, null],
  ])("%s", (_, body, html, expected) => {
    expect(mode(body, html)).toBe(expected);
  });
});
