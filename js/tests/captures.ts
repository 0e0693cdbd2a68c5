/** The synthetic captures that tests, screenshots and the bench look at, by name. */

import { readFileSync } from "node:fs";
import type { Traits } from "../src/scope/state.ts";
import { html, type Options, type Synthetic, sd15, sdxl, synthesise, tiny } from "./synthetic.ts";

const long =
  "a highly detailed oil painting of a red circle floating above a blue square in the style of early abstract " +
  "geometry with warm evening light and a calm empty background on rough canvas";

export const CAPTURES: Record<string, () => Options> = {
  quick: () => ({ layers: sd15(16, 16, 4) }),
  sd15: () => ({ layers: sd15(32, 32) }),
  sd15_64: () => ({ layers: sd15(64, 64), steps: [0, 10, 19], encoding: "f16" }),
  sdxl: () => ({ layers: sdxl(), steps: [0, 9, 19] }),
  tall: () => ({ layers: sd15(40, 24, 4), height: 320, width: 192, steps: [0, 5, 10, 15, 19] }),
  broad: () => ({ layers: sd15(24, 40, 4), height: 192, width: 320, steps: [0, 10, 19] }),
  once: () => ({ layers: tiny(), steps: [5], run_steps: 20 }),
  tiny: () => ({
    layers: tiny(),
    steps: [0, 1, 2],
    run_steps: 3,
    anatomy: false,
    picture: false,
    preview: false,
    tokens_known: false,
  }),
  flat: () => ({ layers: tiny(), steps: [0, 1], run_steps: 3, flat: true }),
  partial: () => {
    const all = sd15(32, 32);
    const gone = all.filter(({ place, block }) => place === "down" && block !== 1);
    return {
      layers: all.filter((info) => !gone.includes(info)),
      missing: gone.map(({ layer, kind, module }) => ({ layer, kind, module, reason: "not asked for (layers=)" })),
      steps: [0, 4, 8, 12, 16],
      words: long.split(" "),
      truncated: "and a signature in the lower left corner",
      without: ["up.3.2", "up.1.0@0"],
      nan: true,
      images: 2,
    };
  },
  /** Of two layers every head is in the page. */
  few: () => {
    const layers = sd15(16, 16, 4);
    const without = layers.map(({ layer }) => layer).filter((layer) => layer !== "down.1.0" && layer !== "up.2.1");
    return { layers, steps: [0, 19], without };
  },
  both: () => ({ layers: sd15(16, 16, 4), self: true, steps: [0, 5, 10, 15, 19] }),
  both_64: () => ({
    layers: sd15(64, 64, 3).filter(({ layer }) => layer.startsWith("up.3.")),
    self: true,
    steps: [9, 19],
    height: 512,
    width: 512,
    encoding: "f16",
  }),
  pair: () => {
    const shared = { layers: sd15(16, 16, 4), self: true, steps: [0, 10, 19] };
    const words = ["one", "blue", "square", "below", "a", "Red", "circle", "and", "a", "hat"];
    return { ...shared, other: { ...shared, words, seed: 8 } };
  },
  long: () => ({
    layers: sd15(16, 16, 2),
    steps: [0, 10, 19],
    words: Array.from({ length: 149 }, (_, i) => long.split(" ")[i % long.split(" ").length] as string),
    frame: { bos: false, places: 256 },
  }),
  stack: () => ({
    layers: sdxl(10)
      .filter(({ layer }) => /^(down\.2\.1|mid|up\.0\.1|up\.1\.0)/.test(layer))
      .map((info) => ({ ...info, heads: 3, single_heads: 3 })),
    self: true,
    steps: [0, 19],
  }),
  unknown: () => ({ layers: tiny(), steps: [0, 1], run_steps: 2, without_anatomy: true }),
  forty: () => ({ layers: tiny().map((info) => ({ ...info, heads: 40, single_heads: 40 })), steps: [0, 19] }),
  many: () => ({ layers: sdxl(10), steps: [0, 19], height: 512, width: 512 }),
  /** As large as the real one, for the bench: of two layers every head is in it. */
  sdxl_1024: () => {
    const layers = sdxl(10, 64);
    const whole = ["up.0.1.3", "up.1.0.0"];
    const without = layers.map(({ layer }) => layer).filter((layer) => !whole.includes(layer));
    return { layers, steps: [18, 19], height: 1024, width: 1024, encoding: "f16", without };
  },
  hostile: () => ({
    layers: sd15(16, 16, 2),
    steps: [0, 1],
    run_steps: 2,
    words: ["<script>window.pwned=1</script>", "<img", 'src=x"onerror=window.pwned=1>', "&amp;"],
    prompt: '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">',
  }),
};

const built = (name: string) => readFileSync(new URL(`../../attnscope/static/${name}`, import.meta.url), "utf8");

const made = new Map<string, Synthetic>();

export function synthetic(name: string): Synthetic {
  const options = CAPTURES[name];
  if (!options) throw new Error(`no capture '${name}'; there are ${Object.keys(CAPTURES).join(", ")}`);
  let capture = made.get(name);
  if (!capture) made.set(name, (capture = synthesise(options())));
  return capture;
}

/** The exported page of a capture, opened with these traits. */
export function page(name: string, traits: Partial<Traits> = {}): string {
  const capture = synthetic(name);
  return html({ ...capture, traits: { ...capture.traits, ...traits } }, built("widget.css"), built("standalone.js"));
}
