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

// Z85 (ZeroMQ RFC 32): four bytes in five characters that need no escape, where base64 takes five and a third.
const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

function z85(bytes) {
  const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  let text = "";
  for (let at = 0; at < padded.length; at += 4) {
    const word = padded.readUInt32BE(at);
    for (const power of [85 ** 4, 85 ** 3, 85 ** 2, 85, 1]) text += Z85[Math.floor(word / power) % 85];
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
  return `const packed = "${z85(bytes)}";
async function unpack() {
  const code = new Uint8Array(128);
  [..."${Z85}"].forEach((letter, i) => { code[letter.charCodeAt(0)] = i; });
  const words = new DataView(new ArrayBuffer(packed.length / 5 * 4));
  for (let i = 0, at = 0; i < packed.length; at += 4) {
    let word = 0;
    for (const end = i + 5; i < end; i++) word = word * 85 + code[packed.charCodeAt(i)];
    words.setUint32(at, word);
  }
  const stream = new Blob([new Uint8Array(words.buffer, 0, ${bytes.length})]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
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
