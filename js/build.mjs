// Builds the two bundles and the stylesheet into attnscope/static/, and holds them to their size.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import esbuild from "esbuild";

const outdir = fileURLToPath(new URL("../attnscope/static/", import.meta.url));
// What a widget syncs: anywidget sends script and stylesheet once for every scope, and notebooks keep them.
const LIMIT = 100_000;
const watch = process.argv.includes("--watch");

// Properties of our own objects, which no minifier may rename unless it is told that they never meet the wire, the page or
// a library. None of these names is one of theirs; whoever adds one looks that up.
const OWN =
  "bitmaps broken chip_bars colour_bar colour_of colours columns contenders detail extent facts failures " +
  "following hold_focus hover legend_text manifest news painter parts places player positions readout_value " +
  "readout_where said schedule scrub_spark shown transport upcoming visible visited winners";

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

/** The widget's module, packed: as a module of its own it unpacks and hands on what it holds. Half the bytes on the wire. */
function pack(source) {
  const packed = deflateRawSync(source, { level: 9 }).toString("base64");
  return `const packed = "${packed}";
const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
const source = await new Response(stream).text();
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const { default: attnscope } = await import(/* @vite-ignore */ /* webpackIgnore: true */ url);
URL.revokeObjectURL(url);
export default attnscope;
`;
}

const packing = {
  name: "packing",
  setup({ onEnd }) {
    onEnd(async ({ outputFiles, errors }) => {
      if (errors.length) return;
      const [file] = outputFiles;
      await writeFile(`${outdir}widget.js`, watch ? file.text : pack(file.text));
      if (!watch) console.log(`widget.js unpacked  ${file.contents.length} B`);
    });
  },
};

const builds = [
  { ...common, entryPoints: ["src/widget.ts"], format: "esm", outfile: "widget.js", write: false, plugins: [packing] },
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
  const files = ["widget.js", "widget.css", "standalone.js"];
  const bytes = Object.fromEntries(await Promise.all(files.map(async (name) => [name, await readFile(outdir + name)])));
  for (const name of files) console.log(`${name}  ${bytes[name].length} B`);
  const total = bytes["widget.js"].length + bytes["widget.css"].length;
  if (total > LIMIT) {
    console.error(`widget.js + widget.css is ${total} B; the limit is ${LIMIT} B`);
    process.exitCode = 1;
  }
}
