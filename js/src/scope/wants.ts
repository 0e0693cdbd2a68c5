/** Which packets a view needs, and which it is likely to need next. */

import { cell_at } from "../maps/fields.ts";
import type { LayerInfo, PacketKind, Request } from "../wire/protocol.ts";
import { request } from "../wire/protocol.ts";
import { blocks_of } from "./layout.ts";
import { type Ranked, ranked } from "./ranking.ts";
import type { Scope } from "./scope.ts";
import { type At, heads_in } from "./selection.ts";

const PREFETCH_STEPS = 3;

export interface Place {
  layer?: string;
  step?: number;
  /** A head of `qk`, a cell of `rows`. */
  part?: number;
}

export function ask(scope: Scope, kind: PacketKind, at: At, { layer, step = at.step, part }: Place = {}): Request {
  const { image, capture } = at;
  // Both branches predict one picture: previews are kept under the first.
  const branch = kind === "preview" ? (scope.facts_of(at).manifest.branches[0] ?? at.branch) : at.branch;
  return request(kind, {
    step,
    image,
    branch,
    ...(capture && { capture }),
    ...(layer !== undefined && { layer }),
    ...(part !== undefined && { part }),
  });
}

/** What is on screen at a step, and so must be there before playback moves on. */
export function visible(scope: Scope, at: At, step = at.step): Request[] {
  const { manifest } = scope.facts_of(at);
  if (!manifest.steps.length) return [];
  const { show_preview, scale } = scope.state.is;
  const out = at.kind === "self" ? self_maps(scope, at, step) : cross_maps(scope, at, step);
  if (at.level === "block" && at.capture === 0) out.push(...block_maps(scope, at, step));
  if (show_preview.value && manifest.preview) out.push(ask(scope, "preview", at, { step }));
  if (scale.value === "run") out.push(...ranges(scope, at));
  return out;
}

function ranges(scope: Scope, at: At): Request[] {
  if (at.kind === "self") return [];
  const shown = at.level === "unet" ? scope.facts_of(at).layers[at.kind] : [at.layer];
  return shown.map(({ layer }) => ask(scope, "range", at, { layer }));
}

function cross_maps(scope: Scope, at: At, step: number): Request[] {
  const atlas = ask(scope, "atlas", at, { step });
  if (at.level === "unet") return [atlas];
  const layer = ask(scope, "layer", at, { layer: at.layer.layer, step });
  const out = scope.transport.has(layer.id) ? [layer] : [layer, atlas];
  const strip = at.level === "head" && at.capture === 0 && strip_of(scope, at);
  return strip ? [...out, strip] : out;
}

/** Every step at the pinned cell; null where none is pinned. */
export function strip_of(scope: Scope, at: At): Request | null {
  const uv = scope.state.is.uv.value;
  if (!uv || at.kind !== "cross") return null;
  const [y, x] = cell_at(at.layer, uv[0], uv[1]);
  return ask(scope, "strip", at, { layer: at.layer.layer, part: y * at.layer.width + x });
}

/** Received attention always, which is small; queries and keys of the open layer; rows of every layer in the overview. */
function self_maps(scope: Scope, at: At, step: number): Request[] {
  if (at.level === "unet") return self_means(scope, at, scope.facts_of(at).layers.self, step);
  if (at.level === "block") return self_means(scope, at, [at.layer], step);
  const heads = at.level === "layer" ? heads_in("mean", at.layer) : heads_in(at.head, at.layer);
  return [
    ask(scope, "received", at, { layer: at.layer.layer, step }),
    ...heads.map((part) => ask(scope, "qk", at, { layer: at.layer.layer, step, part })),
  ];
}

/** What small maps of self-attention are made of: rows of the pinned pixel, where one is pinned. */
function self_means(scope: Scope, at: At, infos: readonly LayerInfo[], step: number): Request[] {
  const uv = scope.state.is.uv.value;
  return infos.flatMap((info) => {
    const { layer } = info;
    const received = ask(scope, "received", at, { layer, step });
    if (!uv) return received;
    const [y, x] = cell_at(info, uv[0], uv[1]);
    const rows = ask(scope, "rows", at, { layer, step, part: y * info.width + x });
    return scope.transport.has(rows.id) ? rows : [rows, received];
  });
}

/** Both attentions of every transformer block of the open site. */
function block_maps(scope: Scope, at: At, step: number): Request[] {
  const { layers, manifest } = scope.facts_of(at);
  const infos = blocks_of(manifest, at.layer).flatMap((block) => block.self ?? []);
  const out = self_means(scope, at, infos, step);
  if (layers.cross.length) out.push(ask(scope, "atlas", at, { step }));
  return out;
}

/** The heads that follow the chosen word best, of those whose maps can be had: a file may hold those of some layers. */
export function best_heads(scope: Scope, at: At): Ranked[] {
  if (!ranks(at)) return [];
  const packet = scope.packet("heads", at);
  const { failures } = scope.transport;
  const there = ({ layer }: LayerInfo) => !failures.has(ask(scope, "layer", at, { layer }).id);
  return packet ? ranked(packet, at.columns, scope.facts_of(at).layers.cross.filter(there)) : [];
}

const ranks = (at: At): boolean => at.kind === "cross" && at.level === "unet" && at.columns.length > 0;

/** What is likely to be looked at next: every atlas in the direction of play, then the open layer's neighbours. */
export function upcoming(scope: Scope, at: At, direction: 1 | -1): Request[] {
  const { manifest } = scope.facts_of(at);
  const { steps } = manifest;
  const ahead = steps.map((_, i) => (at.index + direction * i + steps.length * 2) % steps.length);
  const label = (index: number) => (steps[index] as { step: number }).step;
  const { show_preview } = scope.state.is;
  // Playing locks the scale to all steps; it begins with what was seen, and waits for no ranges.
  const playing = scope.player.playing.value;
  const out = playing ? ranges(scope, at) : [];
  // Not while steps come and go by themselves: each would ask for layers that nobody has time to look at.
  if (ranks(at) && !playing && !(manifest.live && scope.following)) {
    out.push(ask(scope, "heads", at), ...best_heads(scope, at).map(({ info }) => ask(scope, "layer", at, info)));
  }
  // Not among what is visible: playback does not wait for it, nor end where it cannot be had.
  if (at.level === "block" && manifest.anatomy) out.push(ask(scope, "anatomy", at, { layer: at.layer.layer }));
  if (at.kind === "cross") out.push(...ahead.map((index) => ask(scope, "atlas", at, { step: label(index) })));
  if (show_preview.value && manifest.preview) {
    out.push(...ahead.map((index) => ask(scope, "preview", at, { step: label(index) })));
  }
  if (at.kind === "self" && at.level !== "unet") {
    const { layer } = at.layer;
    out.push(...heads_in("mean", at.layer).map((part) => ask(scope, "qk", at, { layer, part })));
  }
  for (let distance = 1; distance <= PREFETCH_STEPS; distance++) {
    for (const index of [at.index + direction * distance, at.index - direction * distance]) {
      if (index < 0 || index >= steps.length) continue;
      const step = label(index);
      if (at.kind === "self") out.push(...self_maps(scope, at, step));
      else if (at.level !== "unet") out.push(ask(scope, "layer", at, { layer: at.layer.layer, step }));
    }
  }
  return out;
}
