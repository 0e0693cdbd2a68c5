/** Hovering allocates nothing: what a map is written to is handed on from one hover to the next. */

/** `out`, if it has room for exactly this many cells, else a new one. */
export const room = (cells: number, out?: Float32Array): Float32Array =>
  out?.length === cells ? out : new Float32Array(cells);
