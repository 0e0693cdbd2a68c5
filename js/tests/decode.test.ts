import { describe, expect, it } from "vitest";
import { aligned, as_bytes, open_section, values } from "../src/wire/decode.ts";
import type { Encoding } from "../src/wire/protocol.ts";
import { encode, Packer, to_half } from "./encode.ts";
import { random } from "./synthetic.ts";

const shape = [3, 4, 5, 7]; // head, token, h, w: all different
const cells = 3 * 4 * 5 * 7;

function sample(seed: number): Float32Array {
  const rnd = random(seed);
  return Float32Array.from({ length: cells }, () => rnd() ** 4);
}

function round_trip(encoding: Encoding, source: Float32Array, shift = 0): Float32Array {
  const bytes = encode(source, shape, encoding);
  const buffer = new Uint8Array(bytes.length + shift + 3);
  buffer.set(bytes, shift);
  const view = new DataView(buffer.buffer, shift, bytes.length);
  return values(open_section({ name: "maps", encoding, shape, offset: 0, length: bytes.length }, as_bytes(view)));
}

describe("encodings", () => {
  it("f32 is exact", () => expect(round_trip("f32", sample(1))).toEqual(sample(1)));

  it("f16 is within half a unit in the last place", () => {
    const source = sample(2);
    const decoded = round_trip("f16", source);
    source.forEach((value, i) =>
      expect(Math.abs((decoded[i] as number) - value)).toBeLessThanOrEqual(Math.max(value * 2 ** -11, 2 ** -25)),
    );
  });

  it("f16 keeps zero, subnormals, infinity and NaN", () => {
    const bytes = new Uint8Array(Uint16Array.from([0, 1, 0x3c00, 0x7c00, 0x7e00, 0x8001]).buffer);
    const got = values(open_section({ name: "m", encoding: "f16", shape: [1, 6], offset: 0, length: 12 }, bytes));
    expect([...got]).toEqual([0, 2 ** -24, 1, Number.POSITIVE_INFINITY, Number.NaN, -(2 ** -24)]);
    expect(to_half(1)).toBe(0x3c00);
  });

  it("q8 is within its companded step, everywhere", () => {
    const source = sample(3);
    const decoded = round_trip("q8", source);
    const area = 5 * 7;
    for (let map = 0; map < 12; map++) {
      const hi = Math.max(...source.subarray(map * area, (map + 1) * area));
      for (let i = map * area; i < (map + 1) * area; i++) {
        const value = source[i] as number;
        // value = hi (c / 254)^2, so half a code moves it by hi (2 c (1/2) + 1/4) / 254^2
        const bound = hi * ((Math.sqrt(value / hi) * 254 + 0.25) / 254 ** 2) + 1e-7;
        expect(Math.abs((decoded[i] as number) - value)).toBeLessThanOrEqual(bound);
      }
    }
  });

  it("q8 keeps the maximum, zero and NaN", () => {
    const source = sample(4);
    source[3] = Number.NaN;
    source.fill(0, 35, 70); // one whole map of nothing
    const decoded = round_trip("q8", source);
    expect(decoded[3]).toBeNaN();
    expect(decoded.subarray(35, 70).every((value) => value === 0)).toBe(true);
    expect(Math.max(...decoded.subarray(70, 105))).toBeCloseTo(Math.max(...source.subarray(70, 105)), 6);
  });
});

describe("buffers as hosts hand them over", () => {
  it.each(["f16", "f32", "q8"] as const)("%s decodes from any byte offset", (encoding) => {
    const source = sample(5);
    const straight = round_trip(encoding, source);
    for (const shift of [1, 2, 3, 4, 5, 7, 8]) expect(round_trip(encoding, source, shift)).toEqual(straight);
  });

  it("copies only where it must", () => {
    const bytes = new Uint8Array(16);
    expect(aligned(bytes, 4).buffer).toBe(bytes.buffer);
    expect(aligned(bytes.subarray(1), 4).buffer).not.toBe(bytes.buffer);
  });

  it("finds sections at their offsets", () => {
    const packer = new Packer();
    packer.add("a", sample(6), shape, "q8");
    const head = packer.add("b", sample(7), shape, "f32");
    expect(head.offset % 8).toBe(0);
    expect(values(open_section(head, packer.buffer()))).toEqual(sample(7));
  });

  it("says what is wrong with a message cut short or of the wrong size", () => {
    const head = { name: "maps", encoding: "f32", shape: [2, 3], offset: 0, length: 24 } as const;
    expect(() => open_section({ ...head, shape: [2, 3] }, new Uint8Array(20))).toThrow(/cut short/);
    const section = open_section({ ...head, shape: [2, 4] }, new Uint8Array(24));
    expect(() => values(section)).toThrow("section 'maps' (f32, 2x4) needs 32 bytes and has 24");
  });
});
