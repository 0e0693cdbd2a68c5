/** From bytes on the wire to float32: the four encodings of docs/architecture.md. */

import type { SectionHead } from "./protocol.ts";

export interface Section {
  readonly name: string;
  readonly shape: readonly number[];
  readonly eight_bit: boolean;
  readonly bytes: Uint8Array;
  readonly encoding: SectionHead["encoding"];
  /** Decoded on first use; `values()` fills it. */
  decoded: Float32Array | null;
}

/** Hosts hand over ArrayBuffer, DataView or typed arrays, often a window into something larger. */
export function as_bytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(0);
}

/** A window of `bytes` whose start is a multiple of `align`, copied only where it has to be. */
export function aligned(bytes: Uint8Array, align: number): Uint8Array {
  return bytes.byteOffset % align === 0 ? bytes : bytes.slice();
}

export function open_section(head: SectionHead, buffer: Uint8Array): Section {
  const end = head.offset + head.length;
  if (end > buffer.length) {
    throw new RangeError(
      `section '${head.name}' ends at byte ${end}, but the buffer has ${buffer.length}: the message was cut short`,
    );
  }
  const bytes = buffer.subarray(head.offset, end);
  const { name, shape, encoding, eight_bit = encoding === "q8" } = head;
  return { name, shape, encoding, bytes, eight_bit, decoded: null };
}

export function values(section: Section): Float32Array {
  section.decoded ??= decode(section);
  return section.decoded;
}

function decode({ name, encoding, shape, bytes }: Section): Float32Array {
  const cells = shape.reduce((product, size) => product * size, 1);
  const expected =
    encoding === "q8"
      ? 4 * shape.slice(0, -2).reduce((product, size) => product * size, 1) + cells
      : cells * { f16: 2, f32: 4, u8: 1 }[encoding];
  if (bytes.length !== expected) {
    throw new RangeError(
      `section '${name}' (${encoding}, ${shape.join("x")}) needs ${expected} bytes and has ${bytes.length}`,
    );
  }
  if (encoding === "f32") {
    const source = aligned(bytes, 4);
    return new Float32Array(source.buffer, source.byteOffset, cells);
  }
  if (encoding === "f16") return decode_f16(bytes, cells);
  if (encoding === "q8") return decode_q8(bytes, shape, cells);
  return Float32Array.from(bytes);
}

let f16_table: Float32Array | null = null;

/** Every half-precision number there is; a table works in every browser and is faster than bit work. */
function half_floats(): Float32Array {
  if (f16_table) return f16_table;
  const table = new Float32Array(65536);
  for (let code = 0; code < 65536; code++) {
    const sign = code & 0x8000 ? -1 : 1;
    const exponent = (code >> 10) & 31;
    const fraction = code & 1023;
    if (exponent === 31) table[code] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else if (exponent === 0) table[code] = sign * fraction * 2 ** -24;
    else table[code] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  f16_table = table;
  return table;
}

function decode_f16(bytes: Uint8Array, cells: number): Float32Array {
  const table = half_floats();
  const source = aligned(bytes, 2);
  const codes = new Uint16Array(source.buffer, source.byteOffset, cells);
  const out = new Float32Array(cells);
  for (let i = 0; i < cells; i++) out[i] = table[codes[i] as number] as number;
  return out;
}

/** value = hi * (code / 254)^2; code 255 is NaN. */
function decode_q8(bytes: Uint8Array, shape: readonly number[], cells: number): Float32Array {
  const area = (shape.at(-1) ?? 1) * (shape.at(-2) ?? 1);
  const maps = area ? cells / area : 0;
  const head = aligned(bytes.subarray(0, 4 * maps), 4);
  const hi = new Float32Array(head.buffer, head.byteOffset, maps);
  const out = new Float32Array(cells);
  for (let map = 0, i = 0; map < maps; map++) {
    const factor = (hi[map] as number) / (254 * 254);
    for (const end = i + area; i < end; i++) {
      const code = bytes[4 * maps + i] as number;
      out[i] = code === 255 ? Number.NaN : factor * code * code;
    }
  }
  return out;
}
