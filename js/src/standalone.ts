/** Entry of the self-contained HTML file: a model of our own in place of a kernel, answering from embedded data. */

import type { GetMessage, Model, SectionHead } from "./protocol.ts";
import { show_failure } from "./view.tsx";
import attnscope from "./widget.ts";

interface Index {
  buffers: Record<string, [number, number]>;
  items: Record<string, SectionHead[]>;
}

type Listener = (...args: unknown[]) => void;

export class EmbeddedModel implements Model {
  #listeners = new Map<string, Set<Listener>>();

  constructor(
    readonly traits: Record<string, unknown>,
    readonly index: Index,
    readonly data: Uint8Array,
  ) {
    for (const [name, [offset, length]] of Object.entries(index.buffers)) {
      traits[name] = data.subarray(offset, offset + length);
    }
  }

  get(name: string): unknown {
    return this.traits[name];
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
    this.#tell(`change:${name}`);
  }

  save_changes(): void {}

  on(name: string, callback: Listener): void {
    const known = this.#listeners.get(name);
    if (known) known.add(callback);
    else this.#listeners.set(name, new Set([callback]));
  }

  off(name: string, callback: Listener): void {
    this.#listeners.get(name)?.delete(callback);
  }

  send(content: unknown): void {
    const { gen, items } = content as GetMessage;
    queueMicrotask(() => {
      const here = items.filter(({ id }) => this.index.items[id]);
      const put = here.map(({ id }) => ({ id, sections: this.index.items[id] }));
      if (put.length) this.#tell("msg:custom", { type: "put", gen, items: put }, [this.data]);
      for (const { id, kind, step, layer } of items) {
        if (this.index.items[id]) continue;
        const what = [kind, layer, step === null ? null : `of step ${step}`].filter(Boolean).join(" ");
        const text = `this file does not hold the ${what}: it was left out when the page was written (to_html)`;
        this.#tell("msg:custom", { type: "err", gen, id, text, trace: null }, []);
      }
    });
  }

  #tell(name: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...args);
  }
}

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
    const model = new EmbeddedModel(traits, index, await unpack(text_of("attnscope-data")));
    const { signal } = new AbortController();
    const widget = attnscope();
    widget.initialize({ model, signal });
    widget.render({ model, el, signal });
  } catch (error) {
    show_failure(el, error);
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", main);
else main();
