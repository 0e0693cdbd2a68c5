/** The run as a line to scrub on: every step of it has a place, captured or not. */

import type { Scope } from "./scope.ts";

/** Steps of the run, where the manifest says so or the captured labels leave no doubt. */
export function run_steps(scope: Scope): number | null {
  const { run_steps: said, steps } = scope.manifest;
  if (said !== undefined) return said;
  return steps.every(({ step }, i) => step === i) ? steps.length : null;
}

/** The first and last step that have a place. */
export function ends_of(scope: Scope): [first: number, last: number] {
  const { steps } = scope.manifest;
  const last = steps.at(-1)?.step ?? 0;
  const total = run_steps(scope);
  return total === null ? [steps[0]?.step ?? 0, last] : [Math.min(0, steps[0]?.step ?? 0), Math.max(total - 1, last)];
}

/** Where a step is between them, in [0, 1]. */
export function along(scope: Scope, step: number): number {
  const [first, last] = ends_of(scope);
  return last > first ? (step - first) / (last - first) : 0.5;
}

/** The captured step nearest to a place, by index. */
export function nearest(steps: readonly { step: number }[], label: number): number {
  const distance = (i: number) => Math.abs((steps[i] as { step: number }).step - label);
  return steps.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
}

/** A stretch of the line: one captured step, or the steps between two that are not there. */
export interface Stretch {
  step: number;
  length: number;
  index: number | null;
}

export function stretches(steps: readonly { step: number }[], [first, last]: readonly [number, number]): Stretch[] {
  const out: Stretch[] = [];
  let from = first;
  const gap = (to: number) => {
    if (to > from) out.push({ step: from, length: to - from, index: null });
  };
  steps.forEach(({ step }, index) => {
    gap(step);
    out.push({ step, length: 1, index });
    from = step + 1;
  });
  gap(last + 1);
  return out;
}

/** Captured steps that are written below the line, by index: at round numbers where not all find room. */
export function labelled(
  steps: readonly { step: number }[],
  [first, last]: readonly [number, number],
  count: number,
): number[] {
  const length = last - first;
  const stride = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((each) => length / each < count) ?? length;
  const all = steps.length <= count;
  const wanted = all ? steps.map((_, i) => i) : [];
  if (!all) {
    for (let label = first; label < last; label += stride) wanted.push(nearest(steps, label));
    wanted.push(steps.length - 1);
  }
  const apart = all ? length / (1.5 * count) : 0.6 * stride;
  let before = Number.NEGATIVE_INFINITY;
  return wanted.filter((index) => {
    const { step } = steps[index] as { step: number };
    if (step - before < apart) return false;
    before = step;
    return true;
  });
}

/** A slider's own keys, over the steps that were captured. */
export function target_of(key: string, index: number, count: number): number | null {
  const page = Math.max(1, Math.round(count / 10));
  const by: Record<string, number> = {
    ArrowLeft: index - 1,
    ArrowDown: index - 1,
    ArrowRight: index + 1,
    ArrowUp: index + 1,
    PageDown: index - page,
    PageUp: index + page,
    Home: 0,
    End: count - 1,
  };
  const to = by[key];
  return to === undefined ? null : Math.min(count - 1, Math.max(0, to));
}
