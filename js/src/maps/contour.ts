/** The line along which a map has one value: marching squares between the middles of its cells. */

/**
 * An SVG path in [0, 1]² of closed loops, with what reaches `level` always on the same side. A ring of points along the edge
 * of the map, lower than everything, closes the loops there; cells of NaN are lower than everything too.
 */
export function contour_path(map: Float32Array, h: number, w: number, level: number): string {
  const H = h + 2;
  const W = w + 2;
  const values = new Float32Array(H * W).fill(Number.NaN);
  for (let y = 0; y < h; y++) values.set(map.subarray(y * w, (y + 1) * w), (y + 1) * W + 1);

  // Corner k of a square, clockwise from the top left, and side k from corner k to corner k + 1; where they are from there.
  const corners = [0, 1, W + 1, W];
  const sides = [0, H * W + 1, W, H * W];
  // Each side of the mesh that the line crosses leads on to exactly one other.
  const next = new Int32Array(2 * H * W).fill(-1);
  const high = (square: number, k: number) => (values[square + (corners[k & 3] as number)] as number) >= level;
  for (let square = 0; square < (H - 1) * W - 1; square++) {
    let sum = 0;
    let highs = 0;
    for (let k = 0; k < 4; k++) {
      sum += values[square + (corners[k] as number)] as number;
      if (high(square, k)) highs |= 1 << k;
    }
    if (highs === 0 || highs === 15) continue;
    const joined = (highs === 5 || highs === 10) && sum / 4 >= level; // at a saddle
    for (let k = 0; k < 4; k++) {
      if (!high(square, k) || high(square, k + 3)) continue;
      let end = k;
      if (joined) end = k + 2;
      else while (high(square, end + 1)) end++;
      next[square + (sides[(k + 3) & 3] as number)] = square + (sides[end & 3] as number);
    }
  }

  const at = (i: number, size: number) => Math.min(1, Math.max(0, (i - 0.5) / size));
  const point = (id: number) => {
    const upright = id >= H * W ? 1 : 0;
    const from = id - upright * H * W;
    const [x, y] = [from % W, Math.floor(from / W)];
    const [x2, y2] = [x + 1 - upright, y + upright];
    const a = values[from] as number;
    let along = (level - a) / ((values[y2 * W + x2] as number) - a);
    const edge = (i: number, j: number) => i < 1 || j < 1 || i > w || j > h;
    if (Number.isNaN(along)) along = edge(x, y) ? 0 : edge(x2, y2) ? 1 : 0.5;
    const mix = (one: number, two: number) => Math.round(1e4 * (one + along * (two - one))) / 1e4;
    return `${mix(at(x, w), at(x2, w))} ${mix(at(y, h), at(y2, h))}`;
  };
  let path = "";
  for (let start = 0; start < next.length; start++) {
    if ((next[start] as number) < 0) continue;
    const loop: string[] = [];
    for (let id = start; (next[id] as number) >= 0; ) {
      loop.push(point(id));
      const after = next[id] as number;
      next[id] = -1;
      id = after;
    }
    path += `M${loop.join("L")}Z`;
  }
  return path;
}
