/** The numbers on screen as tables, under a line that says what they are. */

import { on_coarser } from "../maps/compare.ts";
import { counting } from "../paint/frame.ts";
import { look, second_row } from "../paint/numbers.ts";
import type { Painter } from "../paint/painter.ts";
import { word_name } from "../scope/facts.ts";
import { clean, described } from "./sheet.ts";

type Cell = string | number;

/** Nine digits give every number of 32 bits back. */
const number = (value: number): string => String(Number(value.toPrecision(9)));

/** Text in quotes; where a spreadsheet would take it for a formula, an apostrophe says that it is text. */
export function field(value: Cell): string {
  if (typeof value === "number") return number(value);
  const text = clean(value);
  return `"${/^[=+\-@＝＋－＠]/.test(text) ? "'" : ""}${text.replaceAll('"', '""')}"`;
}

/** Of no cell that a comma or a tab makes of it can a spreadsheet make a formula either. */
export const comment = (text: string): string =>
  `# ${clean(text)
    .replaceAll('"', "″")
    .replace(/([,;]\s*)([=+\-@＝＋－＠])/g, "$1'$2")}`;

export const csv = (about: string, rows: readonly (readonly Cell[])[]): string =>
  `${[comment(about), ...rows.map((row) => row.map(field).join(","))].join("\r\n")}\r\n`;

/** The attention of every token at the pinned point, in the box, or on average: what the bars show, piece by piece. */
export function words_csv(painter: Painter): string {
  const { shown, scope, parts } = painter;
  if (!shown?.field) throw new Error("the map is not here yet: try again when it is");
  const frame = painter.frame();
  const { tokens } = scope.facts_of(shown.at).manifest;
  const row = look(shown.field, frame, new Float32Array(shown.field.tokens));
  const other = second_row(frame);
  const head = ["token", "text", "word", "value", ...(other ? ["value of B"] : [])];
  const rows = counting(frame, shown.at).map((column): Cell[] => {
    const { token, text, word } = tokens[column] as (typeof tokens)[number];
    return [token, text, word, row[column] as number, ...(other ? [other[column] as number] : [])];
  });
  return csv(`${described(painter)} Values: ${parts.readout_where?.textContent}.`, [head, ...rows]);
}

/** Every cell of the large map; of the words in hues each, of the strongest word which it is. */
export function map_csv(painter: Painter): string {
  const { shown, scope } = painter;
  if (!shown?.field) throw new Error("the map is not here yet: try again when it is");
  const { values, at } = shown;
  const facts = scope.facts_of(at);
  const difference = [...painter.panes].find(({ role }) => role === "difference");
  const [a, b] = [difference?.map.values, difference?.second.values];
  let names = ["value"];
  let columns: ArrayLike<Cell>[] = values.maps;
  let { width, height } = values;
  if (a?.map && b?.map) {
    const [one, two] = on_coarser({ ...grid(a), map: a.map }, { ...grid(b), map: b.map });
    names = ["A", "B", "A - B"];
    columns = [one.map, two.map, one.map.map((value, i) => value - (two.map[i] as number))];
    ({ width, height } = one);
  } else if (values.maps.length > 1) {
    names = painter.frame().words.map((word) => word_name(facts, word));
  } else if (values.winners) {
    names = ["strongest word"];
    columns = [Array.from(values.winners, (winner) => facts.contenders[winner]?.text ?? "")];
  }
  const rows = Array.from({ length: width * height }, (_, i): Cell[] => [
    Math.floor(i / width),
    i % width,
    ...columns.map((column) => column[i] as Cell),
  ]);
  return csv(described(painter), [["y", "x", ...names], ...rows]);
}

const grid = ({ height, width }: { height: number; width: number }) => ({ height, width });
