/** Entry of the self-contained HTML file. */

import { make } from "./maps/making.ts";
import { keep_in_hash } from "./scope/hash.ts";
import { show_failure } from "./view.tsx";
import attnscope from "./widget.ts";
import { EmbeddedModel } from "./wire/embedded.ts";

function text_of(id: string): string {
  const element = document.getElementById(id);
  if (!element) throw new Error(`this page lacks its part '${id}': it was cut short`);
  return element.textContent ?? "";
}

async function unpack(base64: string): Promise<Uint8Array> {
  const text = atob(base64.trim());
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function main(): Promise<void> {
  const el = document.getElementById("attnscope") ?? document.body.appendChild(document.createElement("div"));
  try {
    const traits = JSON.parse(text_of("attnscope-traits"));
    const index = JSON.parse(text_of("attnscope-index"));
    const model = new EmbeddedModel(traits, index, await unpack(text_of("attnscope-data")), make);
    keep_in_hash(model);
    const { signal } = new AbortController();
    const widget = attnscope();
    widget.initialize({ model, signal });
    widget.render({ model, el, signal });
    el.querySelector<HTMLElement>(".attnscope")?.focus({ preventScroll: true }); // keys work at once
  } catch (error) {
    show_failure(el, error);
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
