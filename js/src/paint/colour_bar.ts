/** The colour bar with its numbers, and the sentence that states the normalisation. */

import { floor_of, value_at } from "../maps/colouring.ts";
import { figure } from "../maps/numbers.ts";
import { type LegendView, legend } from "../scope/legend.ts";
import type { Scope } from "../scope/scope.ts";
import { texts } from "../scope/words.ts";
import type { Frame, Painter, Shown } from "./painter.ts";
import { flag, write } from "./targets.ts";

/** Steps of the run, where the manifest says so or the captured labels leave no doubt. */
export function run_steps(scope: Scope): number | null {
  const { run_steps: said, steps } = scope.manifest;
  if (said !== undefined) return said;
  return steps.every(({ step }, i) => step === i) ? steps.length : null;
}

export function legend_view(scope: Scope, frame: Frame, shown: Shown): LegendView | null {
  const { field } = shown;
  if (!field) return null;
  const { at } = frame;
  const { manifest } = scope;
  const infos = manifest.layers.filter((info) => shown.layers.includes(info.layer));
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
    head: shown.head,
    heads: same_heads ? first.heads : null,
    step: at.step,
    steps: run_steps(scope),
    timestep: manifest.steps[at.index]?.timestep ?? null,
    averaged_steps: scope.manifest.averaged_steps ?? null,
    tokens: texts(manifest, frame.columns),
    scale: frame.scale,
    transform: frame.transform,
    lo: floor_of(frame.transform),
    hi: shown.hi,
    height: one ? first.height : field.height,
    width: one ? first.width : field.width,
    reduced: reduced ? (one ? [field.height, field.width] : [finest.height, finest.width]) : null,
    eight_bit: field.eight_bit,
    nan: shown.extent?.nan ?? 0,
    constant: shown.extent?.constant ?? null,
    image: manifest.images[at.image] ?? String(at.image),
    images: manifest.images.length,
    branch: at.branch,
    branches: manifest.branches.length,
  };
}

export function paint_legend(painter: Painter, frame: Frame, shown: Shown | null): void {
  const view = shown ? legend_view(painter.scope, frame, shown) : null;
  if (!view) return;
  painter.legend_text = legend(view);
  write(painter.parts.legend, painter.legend_text);
}

export function paint_colour_bar(painter: Painter, frame: Frame, shown: Shown | null): void {
  const { colour_bar, ticks } = painter.parts;
  if (!colour_bar || !ticks || !shown) return;
  flag(colour_bar.parentElement as HTMLElement, "as-off", frame.columns.length === 0);
  if (colour_bar.dataset.cmap !== frame.cmap) {
    colour_bar.dataset.cmap = frame.cmap;
    colour_bar.width = 256;
    colour_bar.height = 1;
    const context = colour_bar.getContext("2d");
    const image = context?.createImageData(256, 1);
    if (context && image) {
      new Uint32Array(image.data.buffer).set(frame.table);
      context.putImageData(image, 0, 0);
    }
  }
  const labels = [0, 0.5, 1].map((at) => (shown.extent ? figure(value_at(at, shown.hi, frame.transform)) : ""));
  labels.forEach((label, i) => write(ticks.children[i] as HTMLElement | undefined, label));
}
