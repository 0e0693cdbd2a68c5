/** The sentence that says what is on screen, made of what was painted. */

import { run_steps } from "../scope/axis.ts";
import { type Changes, type Comparison, type LegendView, legend } from "../scope/legend.ts";
import type { At } from "../scope/selection.ts";
import { texts } from "../scope/words.ts";
import type { LayerInfo } from "../wire/protocol.ts";
import type { Query } from "./finding.ts";
import { chance, type Frame, words_at } from "./frame.ts";
import { own_limits } from "./limits.ts";
import type { Painter, Shown } from "./painter.ts";
import type { Comparison as Difference } from "./panes.ts";
import { write } from "./targets.ts";

export function legend_view(frame: Frame, shown: Shown, difference: Difference | null): LegendView | null {
  const { field, at, limits, values, query } = shown;
  if (!field) return null;
  const { scope } = frame;
  const { manifest, layers } = scope.facts_of(at);
  const infos = layers[at.kind].filter((info) => shown.layers.includes(info.layer));
  const [first] = infos;
  if (!first) return null;
  const one = infos.length === 1;
  const finest = infos.reduce((a, b) => (a.height * a.width >= b.height * b.width ? a : b));
  const same_heads = infos.every((info) => info.heads === first.heads);
  const reduced = finest.height > field.height || finest.width > field.width;
  const words = words_at(frame, at);
  const hues = frame.hues && words.length > 1;
  const own = hues && frame.scale === "own";
  return {
    kind: at.kind,
    layer: one ? first.layer : null,
    module: one ? first.module : null,
    layers: one ? null : infos.length,
    seen: one ? null : field.layers,
    head: shown.head,
    heads: same_heads ? first.heads : null,
    step: at.step,
    steps: run_steps(scope),
    timestep: manifest.steps[at.index]?.timestep ?? null,
    averaged_steps: manifest.averaged_steps ?? null,
    tokens: hues ? words.map((columns) => word_text(frame, at, columns)) : texts(manifest, words.flat()),
    scale: frame.scale,
    transform: frame.transform,
    lo: limits.lo,
    hi: limits.hi,
    height: one ? first.height : field.height,
    width: one ? first.width : field.width,
    reduced: reduced ? (one ? [field.height, field.width] : [finest.height, finest.width]) : null,
    eight_bit: field.eight_bit,
    nan: values.extent?.nan ?? 0,
    constant: values.extent?.constant ?? null,
    image: manifest.images[at.image] ?? String(at.image),
    images: manifest.images.length,
    branch: at.branch,
    branches: manifest.branches.length,
    pixel: query ? pixel(frame, query, one ? first : null) : null,
    direction: query?.direction ?? null,
    box: query && query.cells.length > 1 ? query.cells.length : null,
    shares: query !== null && shown.shares,
    hues,
    ...(own && { highs: words.map((_, i) => own_limits(frame, values, i).hi) }),
    clip: frame.clip,
    positions:
      frame.transform === "uniform" || (frame.renormalise && at.kind === "cross") ? positions(frame, shown) : null,
    renormalise: frame.renormalise,
    drop: frame.drop,
    blend:
      words.length === 0 && at.kind === "cross" ? "colour" : hues && frame.blend === "mask" ? "colour" : frame.blend,
    smooth: frame.smooth,
    sixteen_bit: field.half ?? false,
    compare: frame.other ? compared(frame, shown, difference) : null,
  };
}

const word_text = ({ scope }: Frame, at: At, columns: readonly number[]): string => {
  const { chips, manifest } = scope.facts_of(at);
  return chips.find((chip) => chip.columns.join() === columns.join())?.text ?? texts(manifest, columns).join("");
};

/** In pixels of the picture, y first: of one layer the centre of the query's cell. */
function pixel({ scope, pinned }: Frame, { cells }: Query, info: LayerInfo | null): [number, number] | null {
  const { height, width } = scope.manifest;
  if (!info) return pinned ? [pinned[1] * height, pinned[0] * width] : null;
  if (cells.length !== 1) return null;
  const [y, x] = [Math.floor((cells[0] as number) / info.width), (cells[0] as number) % info.width];
  return [((y + 0.5) * height) / info.height, ((x + 0.5) * width) / info.width];
}

/** What values are multiples of 1/n of; what is received, and rows of several layers, are multiples already. */
export const positions = (frame: Frame, { at, shares, field }: Shown): number =>
  shares ? 1 : chance(frame, at, field ?? undefined);

function compared(frame: Frame, { at }: Shown, difference: Difference | null): Comparison {
  const { scope } = frame;
  const other = frame.other as At;
  const asked = scope.state.is.compare.peek() ?? {};
  const { manifest } = scope.facts_of(other);
  const changes: Changes = {
    ...(asked.capture === 1 && { capture: 1 }),
    ...(asked.layer !== undefined && { layer: other.layer.layer }),
    ...(asked.head !== undefined && { head: other.head }),
    ...(asked.step !== undefined && { step: other.step }),
    ...(asked.token !== undefined && at.kind === "cross" && { tokens: texts(manifest, other.columns) }),
    ...(asked.image !== undefined && { image: manifest.images[other.image] ?? String(other.image) }),
    ...(asked.branch !== undefined && { branch: other.branch }),
    ...(asked.direction !== undefined && { direction: other.direction }),
  };
  return difference
    ? { changes, height: difference.height, width: difference.width, limit: difference.limit }
    : { changes };
}

export function paint_legend(painter: Painter, frame: Frame, shown: Shown): void {
  const view = legend_view(frame, shown, painter.comparison);
  if (!view) return;
  const about = shown.limits.approximate ? "; ≈ the widest range seen so far" : "";
  painter.legend_text = legend(view).replace(/\.$/, `${about}.`);
  write(painter.parts.legend, painter.legend_text);
}
