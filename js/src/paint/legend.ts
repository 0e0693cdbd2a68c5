/** The sentence that says what is on screen, made of what was painted. */

import { run_steps } from "../scope/axis.ts";
import { type LegendView, legend } from "../scope/legend.ts";
import { texts } from "../scope/words.ts";
import type { Frame } from "./frame.ts";
import type { Painter, Shown } from "./painter.ts";
import { write } from "./targets.ts";

export function legend_view(frame: Frame, shown: Shown): LegendView | null {
  const { field, at, limits, values } = shown;
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
  return {
    kind: first.kind,
    layer: one ? first.layer : null,
    module: one ? first.module : null,
    layers: one ? null : infos.length,
    seen: one ? null : field.layers,
    head: shown.head as LegendView["head"],
    heads: same_heads ? first.heads : null,
    step: at.step,
    steps: run_steps(scope),
    timestep: manifest.steps[at.index]?.timestep ?? null,
    averaged_steps: manifest.averaged_steps ?? null,
    tokens: texts(manifest, frame.columns),
    scale: frame.scale as LegendView["scale"],
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
  };
}

export function paint_legend(painter: Painter, frame: Frame, shown: Shown): void {
  const view = legend_view(frame, shown);
  if (!view) return;
  const about = shown.limits.approximate ? "; ≈ the widest range seen so far" : "";
  painter.legend_text = legend(view).replace(/\.$/, `${about}.`);
  write(painter.parts.legend, painter.legend_text);
}
