/** Which heads of the whole network follow a word. */

import { values } from "../wire/decode.ts";
import type { LayerInfo } from "../wire/protocol.ts";
import type { Packet } from "../wire/transport.ts";

export interface Ranked {
  info: LayerInfo;
  head: number;
  score: number;
  focus: number;
  mass: number;
}

const MOST = 8;

/**
 * The best of these layers' heads: focus × log2 N × ⁴√mass, bits by which the map is narrower than an even one, less
 * where there is little attention; why this one is said by CrossPackets.heads. A word of several pieces has the sum of their mass, and the mean of their focus weighted by
 * it: of the summed map nothing is known here.
 */
export function ranked(packet: Packet, columns: readonly number[], layers: readonly LayerInfo[]): Ranked[] {
  const [pairs, focuses, masses] = ["pairs", "focus", "mass"].map((name) => packet.get(name));
  if (!pairs || !focuses || !masses) return [];
  const tokens = focuses.shape[1] as number;
  const all = JSON.parse(new TextDecoder().decode(pairs.bytes)) as [string, number][];
  const known = new Map(layers.map((info) => [info.layer, info]));
  const list = all.flatMap(([layer, head], i): Ranked[] => {
    const info = known.get(layer);
    if (!info || head >= info.single_heads) return []; // only the mean of its heads is kept
    let [mass, focus] = [0, 0];
    for (const column of columns) {
      const own = values(masses)[i * tokens + column] as number;
      mass += own;
      if (own) focus += own * (values(focuses)[i * tokens + column] as number);
    }
    focus /= mass;
    const score = focus * Math.log2(info.height * info.width) * mass ** 0.25;
    return score > 0 ? [{ info, head, score, focus, mass }] : []; // not where nothing was seen
  });
  return list.sort((a, b) => b.score - a.score).slice(0, MOST);
}
