/** A least-recently-used cache bounded by bytes, not by count: packets differ a hundredfold in size. */
export class ByteCache<T> {
  #entries = new Map<string, { value: T; bytes: number }>();
  #total = 0;

  constructor(readonly budget: number) {}

  get bytes(): number {
    return this.#total;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry); // a Map keeps insertion order: the last is the most recent
    return entry.value;
  }

  set(key: string, value: T, bytes: number): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#total += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#total <= this.budget || oldest === key) break;
      this.delete(oldest);
    }
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#total -= entry.bytes;
  }
}
