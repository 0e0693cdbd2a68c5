// Builds the two bundles and the stylesheet into attnscope/static/, and holds them to their size.

import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import esbuild from "esbuild";

const outdir = fileURLToPath(new URL("../attnscope/static/", import.meta.url));
const LIMIT = 100_000; // bytes of script plus stylesheet: anywidget syncs them once per widget
const watch = process.argv.includes("--watch");

// Properties of our own objects, which no minifier may rename unless it is told that they never meet the wire, the page or
// a library. None of these names is one of theirs; whoever adds one looks that up.
const OWN =
  "bitmaps broken chip_bars colour_bar colour_of colours columns contenders detail extent facts failures " +
  "following hold_focus hover legend_text manifest news painter parts places player positions readout_value " +
  "readout_where said schedule scope scrub_spark shown transport upcoming visible visited winners";

/** @type {import("esbuild").BuildOptions} */
const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  // `h("p", null, text)` is shorter than what the automatic runtime is called with: 1.2 kB in all.
  tsconfigRaw: { compilerOptions: { jsx: "react", jsxFactory: "h", jsxFragmentFactory: "Fragment" } },
  inject: ["src/jsx.ts"],
  mangleProps: new RegExp(`^(${OWN.replaceAll(" ", "|")})$`),
  logLevel: "warning",
  absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
};

const builds = [
  { ...common, entryPoints: ["src/widget.ts"], format: "esm", outfile: `${outdir}widget.js` },
  // A classic script: to_html may inline it before the data it reads.
  { ...common, entryPoints: ["src/standalone.ts"], format: "iife", outfile: `${outdir}standalone.js` },
  { ...common, entryPoints: ["src/styles/widget.css"], outfile: `${outdir}widget.css` },
];

await mkdir(outdir, { recursive: true });
if (watch) {
  for (const options of builds) await (await esbuild.context(options)).watch();
  console.log(`watching; writing to ${outdir}`);
} else {
  await Promise.all(builds.map((options) => esbuild.build(options)));
  const files = ["widget.js", "standalone.js", "widget.css"];
  const bytes = Object.fromEntries(await Promise.all(files.map(async (name) => [name, await readFile(outdir + name)])));
  for (const name of files) console.log(`${name}  ${bytes[name].length} B, gzip ${gzipSync(bytes[name]).length} B`);
  for (const script of ["widget.js", "standalone.js"]) {
    const total = bytes[script].length + bytes["widget.css"].length;
    if (total > LIMIT) {
      console.error(`${script} + widget.css is ${total} B; the limit is ${LIMIT} B`);
      process.exitCode = 1;
    }
  }
}
