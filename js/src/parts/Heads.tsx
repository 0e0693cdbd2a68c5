/** The heads of one layer, their mean first: a grid to choose from, or a strip beside the open head. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { combine_head, compare, open_head } from "../actions.ts";
import { sorted_heads } from "../paint/head_order.ts";
import { heads_in } from "../scope/selection.ts";
import type { Sort } from "../scope/state.ts";
import type { Head } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { tile_hover } from "./pointer.ts";
import { Select } from "./Select.tsx";
import { Tile } from "./Tile.tsx";

const name = (head: Head): string => (typeof head === "number" ? `head ${head}` : String(head));

export function Heads({ strip }: { strip: boolean }) {
  const view = useView();
  const { layer, head, level, kind } = view.scope.at.value;
  view.news.value; // the order depends on maps that may come yet
  const single = sorted_heads(view.painter);
  const heads: Head[] = layer.single_heads ? ["mean", "max", ...single] : ["mean"];
  const current = level === "head" ? head : "mean";
  const chosen = typeof head === "object" ? heads_in(head, layer) : [];
  const columns = Math.ceil(Math.sqrt((heads.length * layer.height) / layer.width));
  const root = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    // Only the strip itself scrolls, never the page around the widget.
    const strip = root.current;
    const tile = strip?.querySelector<HTMLElement>(".as-current");
    if (!strip || !tile) return;
    strip.scrollTop = tile.offsetTop - (strip.clientHeight - tile.clientHeight) / 2;
    strip.scrollLeft = tile.offsetLeft - (strip.clientWidth - tile.clientWidth) / 2;
  }, [level, head, layer]);
  const open = (each: Head, event: MouseEvent) => {
    if (event.altKey) compare(view, { head: each });
    else if (event.shiftKey && typeof each === "number") combine_head(view, each);
    else open_head(view, each);
  };
  return (
    <div class="as-heads-pane">
      {!strip && <LayerLine />}
      <div
        ref={root}
        class={strip ? "as-heads as-heads-strip" : "as-heads"}
        style={{ "--as-columns": columns }}
        role="grid"
        aria-label="heads"
        {...tile_hover(view)}
      >
        {/* biome-ignore lint/a11y/useFocusableInteractive: its tiles take the focus */}
        <div class="as-heads-row" role="row">
          {heads.map((each) => (
            <Tile
              key={`${kind} ${layer.layer} ${each}`}
              id={`${layer.layer} ${each}`}
              layers={[layer.layer]}
              head={each}
              label={name(each)}
              title={`${layer.layer}: ${name(each)} of ${layer.heads} heads, ${layer.height}×${layer.width}`}
              height={layer.height}
              width={layer.width}
              spark={false}
              current={(level === "head" && each === current) || chosen.includes(each as number)}
              focusable={each === (typeof current === "object" ? "mean" : current)}
              data={{ "data-head": String(each) }}
              open={(event) => open(each, event)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

const SORTS: Record<Sort, string> = {
  index: "by number",
  entropy: "by entropy",
  mass: "by mass",
  similarity: "by similarity",
};

/** What this layer is, and where several transformer blocks are stacked, which of them. */
function LayerLine() {
  const { scope } = useView();
  const { layer, kind, head } = scope.at.value;
  const { sort } = scope.state.is;
  const site = scope.facts.value.layouts[kind].order.find((each) => each.layers.includes(layer.layer));
  return (
    <p class="as-layer-line">
      <span>
        {layer.single_heads < layer.heads && "mean of "}
        {layer.heads} {layer.heads === 1 ? "head" : "heads"} of width {layer.head_width} · {layer.height}×{layer.width}
      </span>
      {site && site.layers.length > 1 && (
        <span>
          block{" "}
          <Select
            label="block"
            value={layer.layer}
            options={site.layers}
            name={(label) => String(label).split(".").at(-1) ?? ""}
            choose={(label) => scope.state.set({ layer: label })}
          />
        </span>
      )}
      {layer.single_heads > 1 && (
        <Select
          label="order of the heads"
          value={sort.value}
          options={Object.keys(SORTS)}
          name={(option) => SORTS[option as Sort]}
          choose={(value) => scope.state.set({ sort: value as Sort })}
        />
      )}
      {typeof head === "object" && (
        <button type="button" class="as-chosen-heads" onClick={() => scope.state.set({ head: "mean" })}>
          mean of {head.join(", ")} ×
        </button>
      )}
      <code title={layer.module}>{layer.module}</code>
    </p>
  );
}
