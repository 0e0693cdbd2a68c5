/**
 * Asks the kernel for packets and keeps what came.
 *
 * The queue lives here, not in the kernel: what is no longer wanted is dropped before it is sent, what is visible goes
 * first, and at most two batches are under way, so that a fast scrub never piles up work that nobody will look at.
 */

import { ByteCache } from "./cache.ts";
import { browser_clock, type Clock } from "./clock.ts";
import { as_bytes, open_section, type Section } from "./decode.ts";
import type { ErrMessage, GetMessage, PutMessage, Request, SectionHead } from "./protocol.ts";

export type Packet = ReadonlyMap<string, Section>;

export interface Failure {
  text: string;
  trace: string | null;
}

export const CACHE_BYTES = 192 * 2 ** 20;
const OUTSTANDING = 2; // batches
const VISIBLE_ITEMS = 4; // a batch
const PREFETCH_ITEMS = 2; // a smaller one, so that something visible never waits long behind it
const SLOW_MS = 250;
const BUSY_MS = 400;
const LOST_MS = 30_000;
/** Between attempts to reach a kernel that is gone: twice as long after each, up to LOST_MS. */
const RETRY_MS = 1000;

interface Batch {
  gen: number;
  open: Map<string, Request>;
  sent: number;
  cancel: () => void;
}

interface Wanted {
  visible: Request[];
  next: Request[];
}

export class Transport {
  readonly failures = new Map<string, Failure>();
  /** The kernel cannot be reached: what is wanted stays wanted, and is asked for again now and then. */
  gone = false;
  #cache: ByteCache<Packet>;
  #batches: Batch[] = [];
  #wanted = new Map<object, Wanted>();
  #gen = 0;
  /** Answers to requests up to this one are of another run. */
  #past = 0;
  /** The same, of single items. */
  #outdated = new Map<string, number>();
  #scheduled = false;
  #listeners = new Set<() => void>();
  #closed = false;
  #attempts = 0;
  /** Set while the next attempt is waited for: how not to make it. */
  #waits: (() => void) | null = null;

  constructor(
    readonly send: (message: GetMessage) => void,
    readonly clock: Clock = browser_clock,
    budget = CACHE_BYTES,
  ) {
    this.#cache = new ByteCache(budget);
  }

  /** Tells `listener` whenever a packet, an error or the busy state came; returns how to stop. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    for (const batch of this.#batches) batch.cancel();
    this.#waits?.();
    this.#listeners.clear();
  }

  get(id: string): Packet | undefined {
    return this.#cache.get(id);
  }

  has(id: string): boolean {
    return this.#cache.has(id);
  }

  /** The bytes that are held, each packet as large as use makes it. */
  get bytes(): number {
    return this.#cache.bytes;
  }

  /** The kernel has been silent for longer than a moment, and something visible waits, asked for or yet to be. */
  get busy(): boolean {
    return this.#silent(BUSY_MS);
  }

  /** The same, for a shorter moment: something turns. */
  get slow(): boolean {
    return this.#silent(SLOW_MS);
  }

  #silent(ms: number): boolean {
    const late = this.clock.now() - ms;
    if (!this.#batches.some((batch) => batch.sent <= late)) return false;
    const lacking = ({ id }: Request) => !this.#cache.has(id) && !this.failures.has(id);
    return [...this.#wanted.values()].some(({ visible }) => visible.some(lacking));
  }

  /** Replaces everything that `viewer` wants. Requests already under way are kept; the rest of its old list is dropped. */
  want(viewer: object, visible: Request[], next: Request[]): void {
    this.#wanted.delete(viewer);
    this.#wanted.set(viewer, { visible, next });
    this.#schedule();
  }

  forget(viewer: object): void {
    this.#wanted.delete(viewer);
  }

  retry(id: string): void {
    this.failures.delete(id);
    this.#tell();
    this.#schedule();
  }

  /** Forgets what it has of these kinds, and what of them is on its way, so that it is asked for again. */
  drop(kinds: RegExp): void {
    for (const id of [...this.#cache.keys()]) if (kinds.test(id)) this.#cache.delete(id);
    for (const id of [...this.failures.keys()]) if (kinds.test(id)) this.failures.delete(id);
    for (const { open } of this.#batches)
      for (const id of [...open.keys()]) {
        if (!kinds.test(id)) continue;
        open.delete(id);
        this.#outdated.set(id, this.#gen);
      }
    this.#release();
  }

  /** Another run begins: nothing of the last one is of use. */
  clear(): void {
    this.drop(/./);
    this.#outdated.clear();
    for (const batch of this.#batches) batch.cancel();
    this.#batches = [];
    this.#past = this.#gen;
  }

  /** The comm is closed, or the kernel died. */
  lose(): void {
    if (this.#closed) return;
    this.gone = true;
    for (const batch of this.#batches) batch.cancel();
    this.#batches = [];
    this.#waits?.();
    this.#waits = this.clock.after(Math.min(LOST_MS, RETRY_MS * 2 ** this.#attempts), () => {
      this.#waits = null;
      this.#schedule();
    });
    this.#attempts += 1;
    this.#tell();
  }

  /** An answer: whatever was the matter is over. */
  #heard(): void {
    this.gone = false;
    this.#attempts = 0;
    this.#waits?.();
    this.#waits = null;
  }

  receive(message: unknown, buffers: readonly unknown[]): void {
    const { type, gen } = (message ?? {}) as { type?: unknown; gen?: number };
    if (gen && gen <= this.#past) return;
    if (type === "put" || type === "err") this.#heard();
    if (type === "put") this.#put(message as PutMessage, buffers);
    else if (type === "err") this.#err(message as ErrMessage);
    else return;
    this.#tell();
    this.#schedule();
  }

  #put(message: PutMessage, buffers: readonly unknown[]): void {
    const buffer = as_bytes(buffers[0]);
    for (const { id, sections } of message.items) {
      if (this.#is_outdated(id, message.gen)) continue;
      try {
        // A packet keeps its own part of a message: else one that stays would hold all that came with it. A file is held anyway.
        const keeps =
          message.items.length > 1 && buffer.length < 2 * bytes_of(message.items.flatMap((each) => each.sections));
        const opened = new Map(
          sections.map((head) => {
            const section = open_section(head, buffer);
            return [head.name, keeps ? { ...section, bytes: section.bytes.slice() } : section];
          }),
        );
        this.#cache.set(id, opened, size_of(sections));
        this.failures.delete(id);
      } catch (error) {
        this.failures.set(id, {
          text: String((error as Error).message ?? error),
          trace: (error as Error).stack ?? null,
        });
      }
      this.#answered(id);
    }
  }

  /** The items that were asked for before they were dropped say nothing about what is wanted now. */
  #is_outdated(id: string, gen = Number.POSITIVE_INFINITY): boolean {
    if (gen <= (this.#outdated.get(id) ?? 0)) return true;
    this.#outdated.delete(id);
    return false;
  }

  #err(message: ErrMessage): void {
    if (this.#is_outdated(message.id, message.gen)) return;
    this.failures.set(message.id, { text: message.text, trace: message.trace ?? null });
    this.#answered(message.id);
  }

  #answered(id: string): void {
    for (const batch of this.#batches) batch.open.delete(id);
    this.#release();
  }

  /** Batches of which nothing is to come any more make room. */
  #release(): void {
    this.#batches = this.#batches.filter((batch) => {
      if (batch.open.size) return true;
      batch.cancel();
      return false;
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.clock.frame(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#flush();
    });
  }

  #flush(): void {
    while (this.#batches.length < OUTSTANDING && !this.#waits) {
      const items = this.#pick();
      if (!items.length) return;
      this.#dispatch(items);
    }
  }

  /** The next batch: newest viewer first, everything visible before anything prefetched. */
  #pick(): Request[] {
    const under_way = new Set(this.#batches.flatMap((batch) => [...batch.open.keys()]));
    const lacking = (item: Request) =>
      !this.#cache.has(item.id) && !under_way.has(item.id) && !this.failures.has(item.id);
    const lists = [...this.#wanted.values()].reverse();
    const visible = unique(lists.flatMap((list) => list.visible.filter(lacking)));
    if (visible.length) return visible.slice(0, VISIBLE_ITEMS);
    // One slot stays free for what the reader looks at next.
    if (this.#batches.length >= OUTSTANDING - 1) return [];
    return unique(lists.flatMap((list) => list.next.filter(lacking))).slice(0, PREFETCH_ITEMS);
  }

  #dispatch(items: Request[]): void {
    this.#gen += 1;
    try {
      this.send({ type: "get", gen: this.#gen, items });
    } catch {
      this.lose();
      return;
    }
    const news = [SLOW_MS, BUSY_MS].map((ms) => this.clock.after(ms + 1, () => this.#tell()));
    // A kernel that was restarted never answers, one that computes may yet: asked again later each time.
    const patience = LOST_MS * 2 ** Math.min(this.#attempts, 3);
    const stop_lost = this.clock.after(patience, () => {
      this.#attempts += 1;
      this.#batches = this.#batches.filter((other) => other !== batch);
      this.#schedule();
    });
    const batch: Batch = {
      gen: this.#gen,
      open: new Map(items.map((item) => [item.id, item])),
      sent: this.clock.now(),
      cancel: () => {
        for (const stop of [...news, stop_lost]) stop();
      },
    };
    this.#batches.push(batch);
    // Prefetched once only: a cache too small for all of it must not fetch in circles.
    for (const list of this.#wanted.values()) list.next = list.next.filter(({ id }) => !batch.open.has(id));
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function unique(items: Request[]): Request[] {
  return [...new Map(items.map((item) => [item.id, item])).values()];
}

const bytes_of = (sections: readonly SectionHead[]): number => sections.reduce((sum, { length }) => sum + length, 0);

/** As it came, and decoded, which use makes it; of float32 nothing is made. */
function size_of(sections: readonly SectionHead[]): number {
  const decoded = sections
    .filter(({ encoding }) => encoding !== "f32")
    .map(({ shape }) => 4 * shape.reduce((product, size) => product * size, 1));
  return decoded.reduce((sum, size) => sum + size, bytes_of(sections));
}
