/**
 * Asks the kernel for packets and keeps what came.
 *
 * The queue lives here, not in the kernel: what is no longer wanted is dropped before it is sent, what is visible goes
 * first, and at most two batches are under way, so that a fast scrub never piles up work that nobody will look at.
 */

import { ByteCache } from "./cache.ts";
import { as_bytes, open_section, type Section } from "./decode.ts";
import type { ErrMessage, GetMessage, PutMessage, Request } from "./protocol.ts";

export type Packet = ReadonlyMap<string, Section>;

export interface Failure {
  text: string;
  trace: string | null;
}

/** What the transport needs of time; tests bring their own. */
export interface Clock {
  now(): number;
  /** Coalesces: runs once, at the next frame. */
  frame(run: () => void): void;
  after(ms: number, run: () => void): () => void;
}

export const browser_clock: Clock = {
  now: () => performance.now(),
  // A hidden tab has no frames, but its data should still arrive.
  frame: (run) => (document.hidden ? setTimeout(run, 16) : requestAnimationFrame(run)),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export const CACHE_BYTES = 192 * 2 ** 20;
const OUTSTANDING = 2; // batches
const VISIBLE_ITEMS = 4; // a batch
const PREFETCH_ITEMS = 2; // a smaller one, so that something visible never waits long behind it
const BUSY_MS = 400;
const LOST_MS = 30_000;

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
  #cache: ByteCache<Packet>;
  #batches: Batch[] = [];
  #wanted = new Map<object, Wanted>();
  #gen = 0;
  /** Answers to requests up to this one are of another run. */
  #gone = 0;
  #scheduled = false;
  #listeners = new Set<() => void>();
  #closed = false;

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
    this.#listeners.clear();
  }

  get(id: string): Packet | undefined {
    return this.#cache.get(id);
  }

  has(id: string): boolean {
    return this.#cache.has(id);
  }

  /** The kernel has been silent for longer than a moment, and something visible waits, asked for or yet to be. */
  get busy(): boolean {
    const late = this.clock.now() - BUSY_MS;
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

  /** Forgets what it has of these kinds, so that it is asked for again. */
  drop(kinds: RegExp): void {
    for (const id of [...this.#cache.keys()]) if (kinds.test(id)) this.#cache.delete(id);
  }

  /** Another run begins: nothing of the last one is of use. */
  clear(): void {
    this.drop(/./);
    this.failures.clear();
    for (const batch of this.#batches) batch.cancel();
    this.#batches = [];
    this.#gone = this.#gen;
  }

  receive(message: unknown, buffers: readonly unknown[]): void {
    const { type, gen } = (message ?? {}) as { type?: unknown; gen?: number };
    if (gen && gen <= this.#gone) return;
    if (type === "put") this.#put(message as PutMessage, buffers);
    else if (type === "err") this.#err(message as ErrMessage);
    else return;
    this.#tell();
    this.#schedule();
  }

  #put(message: PutMessage, buffers: readonly unknown[]): void {
    const buffer = as_bytes(buffers[0]);
    for (const { id, sections } of message.items) {
      try {
        const opened = new Map(sections.map((head) => [head.name, open_section(head, buffer)]));
        const cells = sections.reduce((sum, head) => sum + head.shape.reduce((a, b) => a * b, 1), 0);
        const raw = sections.reduce((sum, head) => sum + head.length, 0);
        this.#cache.set(id, opened, raw + 4 * cells); // counted as if decoded, which use makes it
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

  #err(message: ErrMessage): void {
    this.failures.set(message.id, { text: message.text, trace: message.trace ?? null });
    this.#answered(message.id);
  }

  #answered(id: string): void {
    for (const batch of this.#batches) batch.open.delete(id);
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
    while (this.#batches.length < OUTSTANDING) {
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
    const next = unique(lists.flatMap((list) => list.next.filter(lacking))).slice(0, PREFETCH_ITEMS);
    // Asked once only: a cache too small for all of it must not fetch in circles.
    for (const list of lists) list.next = list.next.filter((item) => !next.some(({ id }) => id === item.id));
    return next;
  }

  #dispatch(items: Request[]): void {
    this.#gen += 1;
    const stop_busy = this.clock.after(BUSY_MS + 1, () => this.#tell());
    const stop_lost = this.clock.after(LOST_MS, () => {
      // The kernel was restarted, or the message was lost: ask again for what is still wanted.
      this.#batches = this.#batches.filter((other) => other !== batch);
      this.#schedule();
    });
    const batch: Batch = {
      gen: this.#gen,
      open: new Map(items.map((item) => [item.id, item])),
      sent: this.clock.now(),
      cancel: () => {
        stop_busy();
        stop_lost();
      },
    };
    this.#batches.push(batch);
    try {
      this.send({ type: "get", gen: this.#gen, items });
    } catch (error) {
      for (const { id } of items) {
        this.failures.set(id, { text: `the kernel cannot be reached: ${(error as Error).message}`, trace: null });
        this.#answered(id);
      }
      this.#tell();
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function unique(items: Request[]): Request[] {
  return [...new Map(items.map((item) => [item.id, item])).values()];
}
