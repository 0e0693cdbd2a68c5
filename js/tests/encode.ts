/** The kernel's side of the encodings, for tests: what src/decode.ts reads. */

import type { Encoding, SectionHead } from "../src/wire/protocol.ts";

export function to_half(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -24)));
  const units = Math.round(size / 2 ** (exponent - 10));
  if (units < 1024) return sign | units; // subnormal
  return sign | (units === 2048 ? (exponent + 16) << 10 : ((exponent + 15) << 10) | (units - 1024));
}

export function encode(values: Float32Array, shape: number[], encoding: Encoding): Uint8Array {
  if (encoding === "f32") return new Uint8Array(values.slice().buffer);
  if (encoding === "f16") return new Uint8Array(Uint16Array.from(values, to_half).buffer);
  if (encoding === "u8") return Uint8Array.from(values);
  const area = (shape.at(-1) as number) * (shape.at(-2) as number);
  const maps = values.length / area;
  const hi = new Float32Array(maps);
  const codes = new Uint8Array(values.length);
  for (let map = 0; map < maps; map++) {
    const part = values.subarray(map * area, (map + 1) * area);
    // Not Math.max: one NaN would make the whole map NaN.
    hi[map] = part.filter((value) => !Number.isNaN(value)).reduce((most, value) => Math.max(most, value), 0);
    const top = hi[map] as number;
    part.forEach((value, i) => {
      codes[map * area + i] = Number.isNaN(value) ? 255 : top > 0 ? Math.round(254 * Math.sqrt(value / top)) : 0;
    });
  }
  return Buffer.concat([new Uint8Array(hi.buffer), codes]);
}

/** Sections one after the other in one buffer, each at a multiple of eight. */
export class Packer {
  #parts: Uint8Array[] = [];
  #length = 0;

  add(name: string, values: Float32Array, shape: number[], encoding: Encoding): SectionHead {
    return { name, encoding, shape, ...this.bytes(encode(values, shape, encoding)) };
  }

  bytes(bytes: Uint8Array): { offset: number; length: number } {
    const offset = this.#length;
    const padding = (8 - (bytes.length % 8)) % 8;
    this.#parts.push(bytes, new Uint8Array(padding));
    this.#length += bytes.length + padding;
    return { offset, length: bytes.length };
  }

  buffer(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}
