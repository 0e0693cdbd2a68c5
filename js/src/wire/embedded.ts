/** A model of our own in place of a kernel: answers from the data that an HTML file carries. */

import { open_section, values } from "./decode.ts";
import { type GetMessage, type Manifest, type Model, type Request, request, type SectionHead } from "./protocol.ts";

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
      for (const item of items) {
        const { id, kind, step, layer } = item;
        if (this.index.items[id]) continue;
        const atlas = kind === "atlas" ? this.#atlas(item) : null;
        if (atlas) {
          const put = { type: "put", gen, items: [{ id, sections: atlas.sections }] };
          this.#tell("msg:custom", put, [new Uint8Array(atlas.means.buffer)]);
          continue;
        }
        const what = [kind, layer, step === null ? null : `of step ${step}`].filter(Boolean).join(" ");
        const text = `this file does not hold the ${what}: it was left out when the page was written (to_html)`;
        this.#tell("msg:custom", { type: "err", gen, id, text, trace: null }, []);
      }
    });
  }

  /** The mean over heads of every layer, where the file holds their heads: atlases would be a quarter of its size. */
  #atlas(item: Request): { sections: SectionHead[]; means: Float32Array } | null {
    const { layers } = this.traits._manifest as Manifest;
    const heads = layers.map(({ layer }) => this.index.items[request("layer", { ...item, layer }).id]?.[0]);
    const sizes = heads.map((head) => head?.shape.slice(1).reduce((product, size) => product * size, 1) ?? 0);
    // Every section starts at a multiple of eight bytes, so of two numbers.
    const starts = [0];
    for (const size of sizes) starts.push((starts.at(-1) as number) + size + (size % 2));
    const means = new Float32Array(starts.at(-1) as number);
    const sections: SectionHead[] = [];
    for (const [i, { layer }] of layers.entries()) {
      const head = heads[i];
      if (!head) return null;
      const [start, size, count] = [starts[i] as number, sizes[i] as number, head.shape[0] as number];
      const all = values(open_section(head, this.data));
      for (let k = 0; k < all.length; k++)
        means[start + (k % size)] = (means[start + (k % size)] as number) + (all[k] as number) / count;
      sections.push({
        name: layer,
        encoding: "f32",
        shape: head.shape.slice(1),
        offset: 4 * start,
        length: 4 * size,
        eight_bit: true,
      });
    }
    return { sections, means };
  }

  #tell(name: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...args);
  }
}
