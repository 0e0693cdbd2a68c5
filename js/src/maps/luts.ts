/** Colour tables of 256 entries, and the colours with a meaning of their own. */

export type ColourMap = "viridis" | "cividis" | "magma" | "gray";
/** Of differences; their tables are in diverging.ts. */
export type DivergingMap = "RdBu_r" | "vik";
export const COLOUR_MAPS: readonly ColourMap[] = ["viridis", "cividis", "magma", "gray"];

/** Every third entry of matplotlib's tables, as base64 of 86 RGB triples; between them a line, never more than 2 of 255 off. */
const TABLES: Record<Exclude<ColourMap, "gray">, string> = {
  viridis:
    "RAFURQVZRgpdRw5hRxNlSBdpSBttSB9wSCN0SCZ3Ryp6Ry58RjJ+RTWBRDmDQz2EQkCGQUSHP0eIPkqJPU6KO1GLOlSMOFiMN1uNNV6NNGGNMmSOMWeOMGqOLm2OLXCOLHKOK3WOKniOKXuOJ36OJoGOJYOOJIaOI4mOIoyNIY+NIJKMH5SMH5eLH5qKHp2JH6CIH6KHIaWFIqiEJauCJ62BKrB/LrN8MrZ6N7h4O7t1QL1yRsBvTMJsUsVpWMdlXsliZctebM1ac9BWetFRgdNNidVIkNdDmNg+oNo5qNs0sN0vuN4pwN8lyOAg0OEc2OIZ3+MY5+QZ7+Uc9uYg/ecl",
  cividis:
    "ACJOACVTACdYACldACtiAC1oAC9tADFwBTNxDzVwFjdwHDlvITtuJj1uKj9tLkFtMkNtNUVsOUhsPEpsP0xsQk5sRVBsSFJsS1RsTlZsUVhtVFptVlxtWV5uXGFuXmNvYWVvZGdwZmlwaWtxbG1ybm9zcXJ0c3R1dnZ2eHh3e3p4fnx4gH94g4F5hoN5iYV4jIh4j4p4kox4lI53l5F3mpN2nZV2oJh1o5p0ppx0qZ9zrKFyr6Rxs6ZwtqlvuattvK5sv7BrwrNpxbVoyLhmzLpkz71i0sBg1cJe2cVc3MhZ38pX4s1U5tBR6dNO7dVK8NhG89tC994+++E4/uQ0/ug4",
  magma:
    "AAAEAQEIAgINBAQUBgUaCQcgDAkmEAstEw00Fg87GhBCHhFJIhFQJxJYLBFfMRFlNhBrOw9wQA90RRB3ShB5TxJ7VBN9WRV+XRd/YhmAZxuAax2BcB+BdSGBeSKCfiSCgyaBiCeBjCmBkSuBliyAmy5/oC9/pTF+qjN9rjR7szZ6uDd5vTl3wjt1xz1zzD9x0EFv1URt2UZr3klo4k1m5VBk6VRi7Fhg711e8mJd9Gdc9mxc93Jc+Xhd+n1e+4Nf/Ilh/I5k/ZRn/Zpq/p9t/qVx/qp0/rB4/rZ8/ruB/sGF/saK/syP/tGU/teZ/dye/eKj/eep/Oyu/PK0/Pe5/P2/",
};

/** Cells that are not a number: a colour that no table contains, striped for those to whom it looks like another. */
export const NAN_RGB: readonly [number, number, number] = [255, 0, 255];
/** A map whose cells are all equal has no shape to colour. */
export const FLAT_RGB: readonly [number, number, number] = [128, 128, 128];
/** "Other" in the strongest-word map. */
export const OTHER_RGB: readonly [number, number, number] = [154, 154, 154];

/** Okabe and Ito (2008), without black, in an order that keeps neighbours apart. */
export const OKABE_ITO: readonly (readonly [number, number, number])[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 158, 115],
  [213, 94, 0],
  [204, 121, 167],
  [240, 228, 66],
  [0, 114, 178],
];

export const css = (rgb: readonly [number, number, number]): string => `rgb(${rgb[0]},${rgb[1]},${rgb[2]})`;

/** One 32-bit RGBA word, as a little-endian ImageData stores it. */
export const pack = (r: number, g: number, b: number, a = 255): number => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;

const STRIPES = [pack(...NAN_RGB), pack(96, 0, 96)] as const;

/** The pixel of a cell that is not a number. */
export const not_a_number = (cell: number): number => STRIPES[cell & 1] as number;

export function lut(name: ColourMap): Uint32Array {
  if (name === "gray") return Uint32Array.from({ length: 256 }, (_, i) => pack(i, i, i));
  return between(TABLES[name]);
}

/** The table through some RGB triples, evenly spaced, with lines between them. */
export function between(triples: string): Uint32Array {
  const bytes = atob(triples);
  const last = bytes.length / 3 - 1;
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const knot = Math.min(last - 1, Math.floor((i * last) / 255));
    const along = (i * last) / 255 - knot;
    const channel = (c: number) =>
      Math.round(bytes.charCodeAt(3 * knot + c) * (1 - along) + bytes.charCodeAt(3 * knot + 3 + c) * along);
    table[i] = pack(channel(0), channel(1), channel(2));
  }
  return table;
}
