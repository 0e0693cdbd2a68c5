/** The steps of a transformer as they stand in one another. All pure. */

import type { Anatomy, AnatomyRow, Shapes } from "../wire/protocol.ts";
import type { Packet } from "../wire/transport.ts";

export interface Step {
  row: AnatomyRow;
  /** What it is made of; empty where the table does not say. */
  inside: Step[];
}

export interface Transformer {
  before: Step[];
  /** One of its blocks; each group but the last ends with what it adds to the stream. */
  block: Step[][];
  after: Step[];
}

/** Queries, keys or values on their way. */
export interface Lane {
  name: string;
  definition: string;
  shape: number[];
  split: number[];
}

const ADD = "add residual";
const CALL = /^transformer_blocks\.\d+$/;

const tables = new WeakMap<Packet, Anatomy>();

export function read_anatomy(packet: Packet): Anatomy {
  let table = tables.get(packet);
  if (!table) {
    const bytes = packet.get("table")?.bytes ?? new Uint8Array();
    tables.set(packet, (table = JSON.parse(new TextDecoder().decode(bytes)) as Anatomy));
  }
  return table;
}

/** The block is named by its path in the model: tables hold one or all. */
export function take_apart(rows: readonly AnatomyRow[], block: string): Transformer {
  const outer = rows.filter(({ part }) => part === rows[0]?.part);
  const calls = outer.map(({ operation }) => CALL.test(operation));
  const here = rows.filter(({ module }) => module === block || module.startsWith(`${block}.`));
  const call = here.find(({ operation }) => CALL.test(operation));
  const plain = (row: AnatomyRow): Step => ({ row, inside: [] });
  return {
    before: outer.slice(0, calls.indexOf(true)).map(plain),
    block: call ? groups(opened(call, here)) : [],
    after: outer.slice(calls.lastIndexOf(true) + 1).map(plain),
  };
}

/** Steps name the part they stand in: by what is called, or by its class. */
function opened({ part, operation, definition }: AnatomyRow, rows: readonly AnatomyRow[]): Step[] {
  const owner = part.split(".")[0] as string;
  const names = [operation, definition, `${owner}.${operation}`];
  if (operation === "attention") names.push(`${owner}.processor`);
  return rows.filter((row) => names.includes(row.part)).map((row) => ({ row, inside: opened(row, rows) }));
}

function groups(steps: Step[]): Step[][] {
  const out: Step[][] = [[]];
  for (const step of steps) {
    out.at(-1)?.push(step);
    if (step.row.operation === ADD) out.push([]);
  }
  return out.filter((group) => group.length);
}

export const adds = (steps: readonly Step[]): boolean => steps.at(-1)?.row.operation === ADD;

export const several = (shapes: Shapes): number[][] => (Array.isArray(shapes[0]) ? shapes : [shapes]) as number[][];

export const shape_text = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/** Equal shapes once: `3 × [1, 64, 320]`. */
export function shapes_text(shapes: Shapes): string {
  const texts = several(shapes).map(shape_text);
  const first = texts[0] as string;
  return texts.length > 1 && texts.every((text) => text === first) ? `${texts.length} × ${first}` : texts.join(", ");
}

/** Queries, keys and values of an attention; null where it does not make them one by one. */
export function lanes(steps: readonly Step[]): Lane[] | null {
  const [made, split] = ["query, key, value", "split heads"].map(
    (name) => steps.find(({ row }) => row.operation === name)?.row,
  );
  if (!made || !split) return null;
  const [shapes, heads] = [several(made.output), several(split.output)];
  if (shapes.length !== 3 || heads.length !== 3) return null;
  return ["Q", "K", "V"].map((name, i) => ({
    name,
    definition: new RegExp(`to_${name.toLowerCase()}: (.*?)(?=, to_|$)`).exec(made.definition)?.[1] ?? "",
    shape: shapes[i] as number[],
    split: heads[i] as number[],
  }));
}
