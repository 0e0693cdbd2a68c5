/** The heads of one layer, their mean first: a grid to choose from, or a strip beside the open head. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { open_head } from "../actions.ts";
import type { Head } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { tile_hover } from "./hovering.ts";
import { Select } from "./Select.tsx";
import { Tile } from "./Tile.tsx";

export function Heads({ strip }: { strip: boolean }) {
  const view = useView();
  const { layer, head, level } = view.scope.at.value;
  const heads: Head[] = ["mean", ...Array.from({ length: layer.single_heads }, (_, i) => i)];
  const current = level === "head" ? head : "mean";
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
              key={`${layer.layer} ${each}`}
              id={`${layer.layer} ${each}`}
              layers={[layer.layer]}
              head={each}
              label={each === "mean" ? "mean" : `head ${each}`}
              title={`${layer.layer}: ${each === "mean" ? "mean" : `head ${each}`} of ${layer.heads} heads, ${layer.height}×${layer.width}`}
              height={layer.height}
              width={layer.width}
              spark={false}
              current={each === current && level === "head"}
              focusable={each === current}
              data={{ "data-head": String(each) }}
              open={() => open_head(view, each)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

/** What this layer is, and where several transformer blocks are stacked, which of them. */
function LayerLine() {
  const { scope } = useView();
  const { layer } = scope.at.value;
  const site = scope.facts.value.layout.order.find((each) => each.layers.includes(layer.layer));
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
            choose={(value) => scope.state.set({ layer: value })}
          />
        </span>
      )}
      <code title={layer.module}>{layer.module}</code>
    </p>
  );
}
