/** The heads of one layer, their mean first: a grid to choose from, or a strip beside the open head. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { combine_head, compare, open_head } from "../actions.ts";
import { open_block } from "../commands.ts";
import { sorted_heads } from "../paint/head_order.ts";
import { head_name, heads_in } from "../scope/selection.ts";
import type { Head, Sort } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { tile_hover } from "./pointer.ts";
import { Select } from "./Select.tsx";
import { Tile } from "./Tile.tsx";

const name = (head: Head): string => (typeof head === "number" ? `head ${head}` : String(head));

export function Heads({ strip }: { strip: boolean }) {
  const view = useView();
  const { layer, head, level, kind } = view.scope.at.value;
  view.news.value; // the order depends on maps that may come yet
  const ranked = sorted_heads(view.painter);
  const single = ranked.map(({ head }) => head);
  const marks = new Map<Head, string>(ranked.map(({ head, mark }) => [head, mark]));
  const heads: Head[] = layer.single_heads ? ["mean", "max", ...single] : ["mean"];
  const current = level === "head" ? head : "mean";
  // In the grid one head alone stays chosen too: it is what the others can be similar to.
  const chosen = typeof head === "string" || (strip && typeof head === "number") ? [] : heads_in(head, layer);
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
  // Another order moves tiles, and a tile that is moved loses the focus.
  const focused = root.current?.querySelector<HTMLElement>("[data-head]:focus")?.dataset.head;
  const order = single.join();
  useLayoutEffect(() => {
    if (focused === undefined || root.current?.querySelector(":focus")) return;
    root.current?.querySelector<HTMLElement>(`[data-head="${focused}"]`)?.focus({ preventScroll: true });
  }, [order]);
  const { sort } = view.scope.state.is;
  const was = useRef(sort.value);
  useEffect(() => {
    if (was.current !== sort.value) view.say(`heads ${sort_name(sort.value, head)}: ${order.replaceAll(",", ", ")}`);
    was.current = sort.value;
  }, [view, sort.value, order]);
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
        class={`as-heads${strip ? " as-heads-strip" : columns > 6 ? " as-tight" : ""}`}
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
              caption={marks.get(each) ? `${each} · ${marks.get(each)}` : name(each)}
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

const SORTS: readonly Sort[] = ["index", "entropy", "mass", "similarity"];

function sort_name(sort: Sort, head: Head): string {
  if (sort === "index") return "by number";
  if (sort === "similarity") return `by similarity to ${head_name(head).replace(/^(mean|max) of heads$/, "the $1")}`;
  return sort === "entropy" ? "by entropy, lowest first" : "by mass, greatest first";
}

/** What this layer is, and where several transformer blocks are stacked, which of them. */
function LayerLine() {
  const view = useView();
  const { scope } = view;
  const { layer, kind, head } = scope.at.value;
  const { sort } = scope.state.is;
  const site = scope.facts.value.layouts[kind].order.find((each) => each.layers.includes(layer.layer));
  return (
    <div class="as-layer-line">
      <span>
        {layer.single_heads < layer.heads && "mean of "}
        {layer.heads} {layer.heads === 1 ? "head" : "heads"} of width {layer.head_width} · {layer.height}×{layer.width}
      </span>
      {site && site.layers.length > 1 && (
        <span>
          depth{" "}
          <Select
            label="block"
            value={layer.layer}
            options={site.layers}
            name={(label) => String(label).split(".").at(-1) ?? ""}
            choose={(label) => scope.state.set({ layer: label })}
          />
        </span>
      )}
      <button
        type="button"
        class="as-open-block"
        title="the steps around this attention"
        onClick={() => open_block(view)}
      >
        block
      </button>
      {layer.single_heads > 1 && (
        <Select
          label="order of the heads"
          value={sort.value}
          options={SORTS}
          name={(option) => sort_name(option as Sort, head)}
          choose={(value) => scope.state.set({ sort: value as Sort })}
        />
      )}
      {typeof head !== "string" && (
        <button
          type="button"
          class="as-chosen-heads"
          title="choose no head"
          onClick={() => {
            view.hold_focus(); // it goes
            scope.state.set({ head: "mean" });
          }}
        >
          {typeof head === "number" ? head_name(head) : `mean of ${head.join(", ")}`} ×
        </button>
      )}
      {sort.value === "similarity" && typeof head === "string" && (
        <span class="as-hint">shift-click a head to sort by similarity to it</span>
      )}
      <code title={layer.module}>{layer.module}</code>
    </div>
  );
}
