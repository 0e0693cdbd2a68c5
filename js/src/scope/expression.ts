/** What is on screen as the code that gives it. */

import { cell_at } from "../maps/fields.ts";
import { queries_in } from "../maps/region.ts";
import type { LayerInfo } from "../wire/protocol.ts";
import { type CodeView, code } from "./code.ts";
import type { Scope } from "./scope.ts";
import type { At } from "./selection.ts";

/** `gaps`: some of it was not seen. */
export function expression(scope: Scope, gaps: boolean): string {
  const at = scope.at.peek();
  const other = scope.other_at.peek();
  const { is } = scope.state;
  // Side by side both are shown; only a difference is one array.
  const subtracted = other && is.compare_as.peek() === "difference" && (at.kind === "self" || at.columns.length > 0);
  const apart = is.hues.peek() && at.words.length > 1 && !other;
  const own = view_of(scope, at, gaps, apart);
  const { source } = scope.manifest;
  const second = scope.manifest.other?.source;
  return code(subtracted ? { ...own, compare: view_of(scope, other, gaps, false) } : own, source, second);
}

function view_of(scope: Scope, at: At, gaps: boolean, apart: boolean): CodeView {
  const { is } = scope.state;
  const { manifest } = scope.facts_of(at);
  const uv = is.uv.peek();
  const kept = manifest.tokens.map((info) => info.token);
  const chosen = at.columns.map((column) => kept[column] as number);
  return {
    level: at.level,
    kind: at.kind,
    layer: at.layer.layer,
    head: at.head,
    step: at.step,
    token: chosen.length ? chosen : null,
    image: at.image,
    images: manifest.images.length,
    branch: at.branch,
    branches: manifest.branches.length,
    gaps,
    apart,
    renormalise: is.renormalise.peek(),
    drop: [...is.drop.peek()],
    uv,
    cell: asked(scope, at.layer),
    direction: at.direction,
    capture: at.capture,
  };
}

/** The pixels of a layer whose self-attention is looked at: those of the box, or the pinned one; null for all. */
function asked({ state }: Scope, info: LayerInfo): number | number[] | null {
  const [uv, region] = [state.is.uv.peek(), state.is.region.peek()];
  if (region) {
    const cells = Array.from(queries_in(region, info.height, info.width));
    return cells.length > 1 ? cells : (cells[0] as number);
  }
  if (!uv) return null;
  const [y, x] = cell_at(info, ...uv);
  return y * info.width + x;
}
