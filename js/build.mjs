// Builds the two bundles and the stylesheet into attnscope/static/, and holds them to their size.

import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deflate } from "@gfx/zopfli";
import esbuild from "esbuild";

const outdir = fileURLToPath(new URL("../attnscope/static/", import.meta.url));
// What a widget syncs: anywidget sends it once for every scope, and notebooks keep it.
const LIMIT = 100_000;
const watch = process.argv.includes("--watch");

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
  logLevel: "warning",
  absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
};

/** 13 bits in two of the 91 letters from # to ~ without the backslash, none of which a string escapes: 6.5 bits each, where base64 has 6. */
function letters(bytes) {
  const letter = (code) => String.fromCharCode(code + 35 + (code > 56 ? 1 : 0));
  let [text, held, count] = ["", 0, 0];
  for (const byte of [...bytes, 0, 0]) {
    held |= byte << count;
    count += 8;
    if (count < 13) continue;
    const word = held & 8191;
    text += letter(Math.floor(word / 91)) + letter(word % 91);
    held >>>= 13;
    count -= 13;
  }
  return text;
}

/**
 * The widget's module, packed: as a module of its own it unpacks and hands on what it holds. Half the bytes on the wire.
 * Once in a page: anywidget runs this for every scope, and gives each two seconds.
 */
async function pack(source) {
  const bytes = await promisify(deflate)(Buffer.from(source), {}); // a twentieth less than zlib's own
  const name = createHash("sha256").update(source).digest("hex").slice(0, 12);
  return `const packed = "${letters(bytes)}";
async function unpack() {
  const bytes = new Uint8Array(${bytes.length});
  const code = (at) => { const letter = packed.charCodeAt(at); return letter - (letter > 92 ? 36 : 35); };
  for (let i = 0, at = 0, held = 0, count = 0; i < packed.length; i += 2) {
    held |= (code(i) * 91 + code(i + 1)) << count;
    for (count += 13; count > 7; count -= 8, held >>>= 8) if (at < bytes.length) bytes[at++] = held;
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const source = await new Response(stream).text();
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return await import(/* @vite-ignore */ /* webpackIgnore: true */ url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
const held = globalThis[Symbol.for("attnscope")] ??= {};
const { default: attnscope } = await (held["${name}"] ??= unpack());
export default attnscope;
`;
}

const packing = {
  name: "packing",
  setup({ onEnd }) {
    onEnd(async ({ outputFiles, errors }) => {
      if (errors.length) return;
      const [file] = outputFiles;
      await writeFile(`${outdir}widget.js`, watch ? file.text : await pack(file.text));
      if (!watch) console.log(`widget.js unpacked  ${file.contents.length} B`);
    });
  },
};

/** `attnscope:style`: the stylesheet as text. An HTML file has it in the page, and none in its script. */
const styling = (wanted) => ({
  name: "styling",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^attnscope:style$/ }, ({ path }) => ({ path, namespace: "style" }));
    onLoad({ filter: /.*/, namespace: "style" }, async () => {
      if (!wanted) return { contents: "", loader: "text" };
      const { outputFiles, metafile } = await esbuild.build({ ...sheet, write: false, metafile: true });
      const watchFiles = Object.keys(metafile.inputs).map((name) => `${common.absWorkingDir}${name}`);
      return { contents: outputFiles[0].text, loader: "text", watchFiles };
    });
  },
});

const sheet = { ...common, entryPoints: ["src/styles/widget.css"], outfile: `${outdir}widget.css` };
const builds = [
  sheet,
  {
    ...common,
    entryPoints: ["src/widget.ts"],
    format: "esm",
    outfile: "widget.js",
    write: false,
    plugins: [styling(true), packing],
  },
  // A classic script: to_html may inline it before the data it reads.
  {
    ...common,
    entryPoints: ["src/standalone.ts"],
    format: "iife",
    outfile: `${outdir}standalone.js`,
    plugins: [styling(false)],
  },
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
  if (bytes["widget.js"].length > LIMIT) {
    console.error(`widget.js is ${bytes["widget.js"].length} B; the limit is ${LIMIT} B`);
    process.exitCode = 1;
  }
}
