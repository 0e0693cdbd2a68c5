/** The sentence that says what is on screen, made of what was painted. */

import { run_steps } from "../scope/axis.ts";
import { word_name } from "../scope/facts.ts";
import { type Changes, type Comparison, type LegendView, legend } from "../scope/legend.ts";
import type { At } from "../scope/selection.ts";
import type { Compare } from "../scope/state.ts";
import { texts } from "../scope/words.ts";
import type { Head, LayerInfo, Manifest } from "../wire/protocol.ts";
import { blend_of } from "./drawing.ts";
import type { Query } from "./finding.ts";
import { chance, type Frame, words_at } from "./frame.ts";
import type { Painter, Shown } from "./painter.ts";
import { type Comparison as Difference, subject_of } from "./panes.ts";
import { write } from "./targets.ts";

function legend_view(frame: Frame, shown: Shown, difference: Difference | null): LegendView | null {
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
    tokens: hues ? words.map((columns) => word_name(scope.facts_of(at), columns)) : texts(manifest, words.flat()),
    // While steps are played the scale stands still for all of them.
    scale: frame.locked && frame.scale !== "fixed" ? "run" : frame.scale,
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
    ...(own && { highs: shown.each.map(({ hi }) => hi) }),
    clip: frame.clip,
    positions:
      frame.transform === "uniform" || (frame.renormalise && at.kind === "cross") ? positions(frame, shown) : null,
    renormalise: frame.renormalise,
    drop: frame.drop,
    blend: blend_of(frame, at, values),
    smooth: frame.smooth,
    sixteen_bit: field.half ?? false,
    // Of a tile under the pointer there is no B: what is beside it goes on being that of A.
    compare: frame.other && !frame.hover.tile ? compared(frame, difference) : null,
  };
}

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

/** Null: all of them. */
const layer_of = ({ level, layer }: At): string | null => (level === "unet" ? null : layer.layer);

/** What B has otherwise: what was asked for, and what its capture or layer has not as A has it. */
function compared(frame: Frame, difference: Difference | null): Comparison {
  const { scope, at } = frame;
  const other = frame.other as At;
  const asked = scope.state.is.compare.peek() ?? {};
  const [here, there] = [at, other].map((each) => scope.facts_of(each).manifest) as [Manifest, Manifest];
  const [head, head_of_b] = [at, other].map((each) => subject_of(frame, each).head ?? "mean") as [Head, Head];
  const [words, words_of_b] = [at, other].map((each) => words_at(frame, each).flat()) as [number[], number[]];
  const [image, image_of_b] = [here.images[at.image], there.images[other.image]];
  const differs = (name: keyof Compare, a: unknown, b: unknown) => asked[name] !== undefined || `${a}` !== `${b}`;
  const texts_of_b = texts(there, words_of_b);
  const changes: Changes = {
    ...(asked.capture === 1 && { capture: 1 }),
    ...(differs("layer", layer_of(at), layer_of(other)) && { layer: other.layer.layer }),
    ...(differs("head", head, head_of_b) && { head: head_of_b }),
    ...(differs("step", at.step, other.step) && { step: other.step }),
    ...(at.kind === "cross" && differs("token", texts(here, words), texts_of_b) && { tokens: texts_of_b }),
    ...(differs("image", image, image_of_b) && { image: image_of_b ?? String(other.image) }),
    ...(differs("branch", at.branch, other.branch) && { branch: other.branch }),
    ...(differs("direction", at.direction, other.direction) && { direction: other.direction }),
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
