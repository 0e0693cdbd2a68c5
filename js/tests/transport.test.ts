import { beforeEach, describe, expect, it, vi } from "vitest";
import { ByteCache } from "../src/wire/cache.ts";
import { browser_clock, type Clock } from "../src/wire/clock.ts";
import { type GetMessage, request } from "../src/wire/protocol.ts";
import { Transport } from "../src/wire/transport.ts";
import { Packer } from "./encode.ts";

/** Time stands still until a test moves it. */
class FakeClock implements Clock {
  time = 0;
  #frames: (() => void)[] = [];
  #timers: { at: number; run: () => void }[] = [];
  now = () => this.time;
  frame = (run: () => void) => void this.#frames.push(run);
  after = (ms: number, run: () => void) => {
    const timer = { at: this.time + ms, run };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  };
  tick(): void {
    for (const run of this.#frames.splice(0)) run();
  }
  pass(ms: number): void {
    this.time += ms;
    const due = this.#timers.filter(({ at }) => at <= this.time);
    this.#timers = this.#timers.filter(({ at }) => at > this.time);
    for (const { run } of due) run();
    this.tick();
  }
}

const atlas = (step: number) => request("atlas", { step, image: 0, branch: "cond" });
const layer = (step: number, name = "up.1.0") => request("layer", { step, image: 0, branch: "cond", layer: name });
const viewer = {};

let clock: FakeClock;
let sent: GetMessage[];
let transport: Transport;

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  transport = new Transport((message) => void sent.push(message), clock);
});

function put(ids: string[], cells = 4): [unknown, unknown[]] {
  const packer = new Packer();
  const items = ids.map((id) => ({ id, sections: [packer.add("maps", new Float32Array(cells), [1, cells], "f32")] }));
  return [{ type: "put", gen: 1, items }, [packer.buffer()]];
}

const asked = () => sent.map((message) => message.items.map(({ id }) => id));

describe("keys", () => {
  it("are what the file's index is keyed by", () => {
    expect(layer(3).id).toBe("layer|3|0|cond|up.1.0");
    expect(atlas(0).id).toBe("atlas|0|0|cond|");
    expect(request("range", { step: 4, image: 1, branch: "uncond", layer: "mid.0" })).toEqual({
      id: "range||1|uncond|mid.0",
      kind: "range",
      step: null,
      image: 1,
      branch: "uncond",
      layer: "mid.0",
    });
  });

  it("name the part where there is one, and the second capture before all", () => {
    const at = { step: 0, image: 1, branch: "cond", layer: "mid.0" };
    expect(request("qk", { ...at, part: 0 }).id).toBe("qk|0|1|cond|mid.0|0");
    expect(request("anatomy", at).id).toBe("anatomy||1|cond|mid.0");
    expect(request("rows", { ...at, part: 7, capture: 1 })).toEqual({
      id: "1:rows|0|1|cond|mid.0|7",
      kind: "rows",
      step: 0,
      image: 1,
      branch: "cond",
      layer: "mid.0",
      part: 7,
      capture: 1,
    });
  });
});

describe("asking", () => {
  it("coalesces within a frame and drops what is no longer wanted before it is sent", () => {
    transport.want(viewer, [layer(1)], []);
    transport.want(viewer, [layer(2)], []);
    transport.want(viewer, [layer(3)], []);
    expect(sent).toEqual([]);
    clock.tick();
    expect(asked()).toEqual([[layer(3).id]]);
  });

  it("keeps at most two batches under way, through any number of changes", () => {
    for (let step = 0; step < 20; step++) {
      transport.want(viewer, [layer(step)], []);
      clock.tick();
    }
    expect(asked()).toEqual([[layer(0).id], [layer(1).id]]);
    transport.receive(...put([layer(0).id]));
    clock.tick();
    // what was scrubbed over is gone; the last is asked for
    expect(asked().slice(2)).toEqual([[layer(19).id]]);
  });

  it("puts what is visible before what is prefetched, and leaves a slot for it", () => {
    transport.want(viewer, [atlas(5)], [atlas(6), atlas(7), atlas(8)]);
    clock.tick();
    expect(asked()).toEqual([[atlas(5).id]]);
    transport.receive(...put([atlas(5).id]));
    clock.tick();
    expect(asked()[1]).toEqual([atlas(6).id, atlas(7).id]);
    clock.tick();
    expect(sent.length).toBe(2);
    transport.want(viewer, [layer(5)], []);
    clock.tick();
    expect(asked()[2]).toEqual([layer(5).id]);
  });

  it("puts the viewer that spoke last first", () => {
    const other = {};
    transport.want(viewer, [layer(1)], []);
    transport.want(other, [layer(2)], []);
    clock.tick();
    expect(asked()).toEqual([[layer(2).id, layer(1).id]]);
    transport.forget(other);
  });

  it("does not ask for what it has or has asked for", () => {
    transport.receive(...put([layer(1).id]));
    transport.want(viewer, [layer(1), layer(2)], [layer(2), layer(1)]);
    clock.tick();
    transport.want(viewer, [layer(2)], []);
    clock.tick();
    expect(asked()).toEqual([[layer(2).id]]);
  });

  it("prefetches each packet once for one selection, so that a small cache cannot make it run in circles", () => {
    const small = new Transport((message) => void sent.push(message), clock, 100);
    small.want(viewer, [], [atlas(1), atlas(2), atlas(3), atlas(4)]);
    for (let i = 0; i < 20; i++) {
      clock.tick();
      const last = sent.at(-1);
      if (last) small.receive(...put(last.items.map(({ id }) => id)));
    }
    expect(asked().flat().sort()).toEqual([1, 2, 3, 4].map((step) => atlas(step).id));
  });

  it("asks again for what was lost", () => {
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    clock.pass(31_000);
    expect(asked()).toEqual([[layer(1).id], [layer(1).id]]);
  });
});

describe("answers", () => {
  it("may come packet by packet, and out of order", () => {
    transport.want(viewer, [layer(1), layer(2)], []);
    clock.tick();
    transport.receive(...put([layer(2).id]));
    expect(transport.has(layer(2).id)).toBe(true);
    expect(transport.has(layer(1).id)).toBe(false);
    transport.receive(...put([layer(1).id]));
    expect(transport.get(layer(1).id)?.get("maps")?.shape).toEqual([1, 4]);
  });

  it("that are errors are kept, shown and not asked for again until retried", () => {
    let told = 0;
    transport.listen(() => void told++);
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    transport.receive({ type: "err", gen: 1, id: layer(1).id, text: "no such step", trace: "Traceback" }, []);
    expect(told).toBe(1);
    expect(transport.failures.get(layer(1).id)).toEqual({ text: "no such step", trace: "Traceback" });
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    expect(sent.length).toBe(1);
    transport.retry(layer(1).id);
    clock.tick();
    expect(sent.length).toBe(2);
    transport.receive(...put([layer(1).id]));
    expect(transport.failures.size).toBe(0);
  });

  it("that are broken become errors of their packet", () => {
    const [message] = put([layer(1).id]);
    transport.receive(message, [new Uint8Array(2)]);
    expect(transport.failures.get(layer(1).id)?.text).toMatch(/cut short/);
  });

  it("that take long make it busy, without an error", () => {
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    expect(transport.busy).toBe(false);
    clock.pass(401);
    expect(transport.busy).toBe(true);
    transport.receive(...put([layer(1).id]));
    expect(transport.busy).toBe(false);
    expect(transport.failures.size).toBe(0);
  });

  it("that do not come make it busy, wherever what is visible waits for them", () => {
    transport.want(viewer, [], [atlas(1), atlas(2)]);
    clock.tick();
    clock.pass(401);
    expect(transport.busy).toBe(false); // nobody looks at it yet
    transport.want(viewer, [atlas(1)], []); // in the prefetched batch that hangs
    expect(transport.busy).toBe(true);
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    transport.want(viewer, [layer(2)], []); // behind two batches that hang
    clock.tick();
    expect(asked().flat()).not.toContain(layer(2).id);
    expect(transport.busy).toBe(true);
    transport.receive(...put([layer(2).id]));
    expect(transport.busy).toBe(false);
  });

  it("to the requests of another run are dropped, and nothing of it is kept", () => {
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    transport.receive(...put([atlas(0).id, atlas(1).id]));
    transport.receive({ type: "err", gen: 1, id: layer(2).id, text: "no", trace: null }, []);
    transport.clear();
    expect([transport.has(atlas(0).id), transport.failures.size]).toEqual([false, 0]);
    transport.receive(...put([layer(1).id])); // late, to the first request
    expect(transport.has(layer(1).id)).toBe(false);
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    expect(asked()).toEqual([[layer(1).id], [layer(1).id]]);
    const [message, buffers] = put([layer(1).id]);
    transport.receive({ ...(message as object), gen: 2 }, buffers);
    expect(transport.has(layer(1).id)).toBe(true);
    transport.receive({ ...(message as object), gen: undefined, items: [] }, buffers);
    transport.drop(/^layer/);
    expect(transport.has(layer(1).id)).toBe(false);
  });

  it("of other kinds are left alone", () => {
    transport.receive({ type: "hello" }, []);
    transport.receive(null, []);
    expect(transport.failures.size).toBe(0);
  });
});

describe("a kernel that is gone", () => {
  let alive = false;
  let tries: string[][];
  let far: Transport;

  beforeEach(() => {
    alive = false;
    tries = [];
    far = new Transport(({ items }) => {
      tries.push(items.map(({ id }) => id));
      if (!alive) throw new Error("comm closed");
    }, clock);
  });

  it("is no error: what is wanted stays wanted, and is asked for less and less often", () => {
    let told = 0;
    far.listen(() => void told++);
    far.want(viewer, [layer(1)], []);
    clock.tick();
    expect([far.gone, far.failures.size, far.busy, told]).toEqual([true, 0, false, 1]);
    const at: number[] = [];
    for (let second = 1; second <= 100; second++) {
      const before = tries.length;
      clock.pass(1000);
      if (tries.length > before) at.push(second);
    }
    expect(at).toEqual([1, 3, 7, 15, 31, 61, 91]);
    expect(new Set(tries.flat())).toEqual(new Set([layer(1).id]));
  });

  it("is not asked between attempts, whatever is looked at; then for what is looked at now", () => {
    far.want(viewer, [layer(1)], []);
    clock.tick();
    for (let step = 2; step < 9; step++) {
      far.want(viewer, [layer(step)], []);
      clock.tick();
    }
    expect(tries).toEqual([[layer(1).id]]);
    alive = true;
    clock.pass(1000);
    expect(tries.slice(1)).toEqual([[layer(8).id]]);
    expect(far.gone).toBe(true); // nobody has answered yet
    far.receive(...put([layer(8).id]));
    expect(far.gone).toBe(false);
    far.want(viewer, [layer(3)], []);
    clock.tick();
    expect(tries.at(-1)).toEqual([layer(3).id]);
  });

  it("loses what is under way, and is back with any answer", () => {
    alive = true;
    far.want(viewer, [layer(1), layer(2)], []);
    clock.tick();
    far.lose(); // the comm is closed
    expect(far.gone).toBe(true);
    far.receive(...put([layer(1).id]));
    expect(far.gone).toBe(false);
    clock.tick();
    expect(tries).toEqual([[layer(1).id, layer(2).id], [layer(2).id]]);
  });

  it("asks nothing when it was closed itself", () => {
    far.want(viewer, [layer(1)], []);
    clock.tick();
    far.close();
    clock.pass(60_000);
    expect(tries.length).toBe(1);
    far.lose();
    expect(tries.length).toBe(1);
  });

  it("and one that is only silent is asked again later each time", () => {
    transport.want(viewer, [layer(1)], []);
    clock.tick();
    clock.pass(30_000);
    expect(sent.length).toBe(2);
    clock.pass(59_000);
    expect(sent.length).toBe(2);
    clock.pass(1000);
    expect([sent.length, transport.gone]).toEqual([3, false]);
  });
});

describe("the bytes that are held", () => {
  const held = (bytes: number) => new Transport(() => {}, clock, bytes);

  it("are those that came, and those that decoding makes", () => {
    const some = held(1000);
    const packer = new Packer();
    const maps = new Float32Array(6);
    const section = (name: string, encoding: "f32" | "f16" | "q8" | "u8") =>
      packer.add(name, maps, [1, 2, 3], encoding);
    const sections = [section("a", "f32"), section("b", "f16"), section("c", "q8"), section("d", "u8")];
    some.receive({ type: "put", items: [{ id: "x", sections }] }, [packer.buffer()]);
    expect(some.bytes).toBe(6 * 4 + 6 * (2 + 4) + (4 + 6 + 6 * 4) + 6 * (1 + 4));
  });

  it("never pass the budget, but for the packet that came last", () => {
    const small = held(100); // f32: four bytes a cell
    for (let step = 0; step < 9; step++) {
      small.receive(...put([layer(step).id], 7));
      expect(small.bytes).toBeLessThanOrEqual(100);
    }
    expect([0, 5, 6, 7, 8].filter((step) => small.has(layer(step).id))).toEqual([6, 7, 8]);
    expect(small.bytes).toBe(3 * 28);
    small.receive(...put([layer(9).id], 50));
    expect([small.bytes, small.has(layer(8).id)]).toEqual([200, false]);
    small.drop(/^layer/);
    expect(small.bytes).toBe(0);
  });

  it("are a packet's own: not those of all that came in one message, nor a copy of a whole file", () => {
    const [message, [bytes]] = put([layer(1).id, layer(2).id]) as [unknown, [Uint8Array]];
    transport.receive(message, [bytes]);
    const of = (id: string) => transport.get(id)?.get("maps")?.bytes;
    expect(of(layer(1).id)?.buffer.byteLength).toBe(16);
    expect(of(layer(2).id)?.buffer).not.toBe(bytes.buffer);
    const file = new Uint8Array(1000);
    file.set(bytes);
    transport.receive(message, [file]);
    expect(of(layer(1).id)?.buffer).toBe(file.buffer);
  });
});

describe("the cache", () => {
  it("is bounded by bytes and forgets what was used longest ago", () => {
    const cache = new ByteCache<string>(100);
    cache.set("a", "A", 40);
    cache.set("b", "B", 40);
    expect(cache.get("a")).toBe("A");
    cache.set("c", "C", 40);
    const here = () => ["a", "b", "c", "d", "huge"].filter((key) => cache.has(key));
    expect(here()).toEqual(["a", "c"]);
    cache.set("c", "C", 10);
    cache.set("d", "D", 50); // fits, since c is counted once
    expect(here()).toEqual(["a", "c", "d"]);
    cache.set("huge", "H", 500); // what is on screen stays, whatever its size
    expect(here()).toEqual(["huge"]);
  });
});

describe("what grows with the run", () => {
  const range = request("range", { image: 0, branch: "cond", layer: "mid.0" });
  const answer = (gen: number) => {
    const [message, buffers] = put([range.id]);
    transport.receive({ ...(message as object), gen }, buffers);
  };

  it("is asked for again where it was dropped on its way, and the old answer is not taken for it", () => {
    transport.want(viewer, [range], []);
    clock.tick();
    transport.drop(/^range/);
    transport.want(viewer, [range], []);
    clock.tick();
    expect(asked()).toEqual([[range.id], [range.id]]);
    answer(1);
    expect(transport.has(range.id)).toBe(false);
    answer(2);
    expect(transport.has(range.id)).toBe(true);
  });

  it("may be there where it was not before", () => {
    transport.want(viewer, [range], []);
    clock.tick();
    transport.receive({ type: "err", gen: 1, id: range.id, text: "no step yet", trace: null }, []);
    transport.drop(/^range/);
    expect(transport.failures.size).toBe(0);
  });
});

it("what waits for a frame goes on once where the tab is hidden before there is one", () => {
  vi.useFakeTimers();
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => {});
  let runs = 0;
  browser_clock.frame(() => (runs += 1));
  vi.advanceTimersByTime(1000);
  expect(runs).toBe(1);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
