/** A model of our own in place of a kernel: answers from the data that an HTML file carries. */

import { open_section } from "./decode.ts";
import type { GetMessage, Manifest, Model, Request, SectionHead } from "./protocol.ts";
import type { Packet } from "./transport.ts";

interface Index {
  buffers: Record<string, [number, number]>;
  items: Record<string, SectionHead[]>;
}

/** A section that the file does not hold, but what it holds gives. */
export interface Made {
  name: string;
  shape: number[];
  values: Float32Array;
  eight_bit: boolean;
}

/** What a maker may look at: the manifest of the item's capture, and the packets of the file. */
export interface Held {
  manifest: Manifest;
  packet(item: Request): Packet | null;
}

export type Maker = (item: Request, held: Held) => Made[] | null;

type Listener = (...args: unknown[]) => void;

export class EmbeddedModel implements Model {
  #listeners = new Map<string, Set<Listener>>();

  constructor(
    readonly traits: Record<string, unknown>,
    readonly index: Index,
    readonly data: Uint8Array,
    readonly make: Maker,
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
        const { id, kind, step, layer, part, capture } = item;
        if (this.index.items[id]) continue;
        const made = this.make(item, this.#held(item));
        if (made) {
          const { sections, buffer } = pack(made);
          this.#tell("msg:custom", { type: "put", gen, items: [{ id, sections }] }, [buffer]);
          continue;
        }
        const which = part === undefined ? null : `${kind === "qk" ? "head" : "cell"} ${part}`;
        const what = [NAMES[kind] ?? kind, layer, which, step === null ? null : `of step ${step}`];
        const whose = capture ? " of the second capture" : "";
        const text = `this file does not hold the ${what.filter(Boolean).join(" ")}${whose}: it was left out when the page was written (to_html)`;
        this.#tell("msg:custom", { type: "err", gen, id, text, trace: null }, []);
      }
    });
  }

  #held({ capture }: Request): Held {
    const manifest = this.traits._manifest as Manifest;
    return {
      manifest: capture ? (manifest.other ?? manifest) : manifest,
      packet: ({ id }) => {
        const heads = this.index.items[id];
        return heads ? new Map(heads.map((head) => [head.name, open_section(head, this.data)])) : null;
      },
    };
  }

  #tell(name: string, ...args: unknown[]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...args);
  }
}

const NAMES: Partial<Record<Request["kind"], string>> = {
  qk: "queries and keys of",
  rows: "rows of",
  strip: "steps of",
};

/** Sections in one buffer. Every one starts at a multiple of eight bytes, so of two numbers. */
function pack(made: Made[]): { sections: SectionHead[]; buffer: Uint8Array } {
  let size = 0;
  const sections = made.map(({ name, shape, values, eight_bit }): SectionHead => {
    const head = { name, encoding: "f32", shape, offset: 4 * size, length: 4 * values.length, eight_bit } as const;
    size += values.length + (values.length % 2);
    return head;
  });
  const all = new Float32Array(size);
  for (const [i, { offset }] of sections.entries()) all.set((made[i] as Made).values, offset / 4);
  return { sections, buffer: new Uint8Array(all.buffer) };
}
