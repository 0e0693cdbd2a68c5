/** The line along which a map has one value: marching squares between the middles of its cells. */

/** Corner k of a square, clockwise from the top left; side k runs from corner k to corner k + 1. */
const CORNERS = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
] as const;

/**
 * An SVG path in [0, 1]² of closed loops, with what reaches `level` always on the same side. A ring of points along the edge
 * of the map, lower than everything, closes the loops there; cells of NaN are lower than everything too.
 */
export function contour_path(map: Float32Array, h: number, w: number, level: number): string {
  const [H, W] = [h + 2, w + 2];
  const value = (x: number, y: number) =>
    x < 1 || y < 1 || x > w || y > h ? Number.NaN : (map[(y - 1) * w + x - 1] as number);
  // Each side of the mesh that the line crosses leads on to exactly one other.
  const side = (x: number, y: number, k: number) =>
    k % 2 ? H * W + y * W + x + (k === 1 ? 1 : 0) : (y + (k === 2 ? 1 : 0)) * W + x;
  const next = new Int32Array(2 * H * W).fill(-1);
  for (let y = 0; y < H - 1; y++)
    for (let x = 0; x < W - 1; x++) {
      const corners = CORNERS.map(([dx, dy]) => value(x + dx, y + dy));
      const high = (k: number) => (corners[k & 3] as number) >= level;
      const saddle = high(0) === high(2) && high(1) === high(3) && high(0) !== high(1);
      const joined = saddle && corners.reduce((a, b) => a + b) / 4 >= level;
      for (let k = 0; k < 4; k++) {
        if (!high(k) || high(k + 3)) continue;
        let end = k;
        if (joined) end = k + 2;
        else while (high(end + 1)) end++;
        next[side(x, y, (k + 3) & 3)] = side(x, y, end & 3);
      }
    }

  const at = (i: number, size: number) => Math.min(1, Math.max(0, (i - 0.5) / size));
  const point = (id: number) => {
    const upright = id >= H * W ? 1 : 0;
    const [x, y] = [id % W, Math.floor((id - upright * H * W) / W)];
    const [x2, y2] = [x + 1 - upright, y + upright];
    const [a, b] = [value(x, y), value(x2, y2)];
    const edge = (i: number, j: number) => i < 1 || j < 1 || i > w || j > h;
    let along = (level - a) / (b - a);
    if (Number.isNaN(along)) along = edge(x, y) ? 0 : edge(x2, y2) ? 1 : 0.5;
    const mix = (from: number, to: number) => Number((from + along * (to - from)).toFixed(4));
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
