/** Packets as the transport hands them out, from plain lists of numbers. */

import { open_section } from "../src/wire/decode.ts";
import type { Packet } from "../src/wire/transport.ts";
import { Packer } from "./encode.ts";

export function packet(...sections: [name: string, values: ArrayLike<number>, shape: number[]][]): Packet {
  const packer = new Packer();
  const heads = sections.map(([name, list, shape]) => packer.add(name, Float32Array.from(list), shape, "f32"));
  const buffer = packer.buffer();
  return new Map(heads.map((head) => [head.name, open_section(head, buffer)]));
}
