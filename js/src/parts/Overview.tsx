/** The UNet as a hand-laid U of attention sites; rows are resolutions, dashes are the skip connections. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { compare, open_site } from "../actions.ts";
import { runs, type Site } from "../scope/layout.ts";
import { useView } from "./context.ts";
import { Depths } from "./Depths.tsx";
import { tile_hover } from "./pointer.ts";
import { MissingTile, Tile } from "./Tile.tsx";

export function Overview() {
  const view = useView();
  const { layouts, layers: captured, manifest } = view.scope.facts.value;
  const { kind } = view.scope.at.value;
  const layout = layouts[kind];
  const current = view.visited.value;
  // One tile is in the tab order; the arrows reach the others.
  const known = layout.order.find((site) => current !== null && site.layers.includes(current));
  const entry = known ?? layout.order.find((site) => site.layers.length > 0);
  const tile = (site: Site) => (
    <SiteTile
      key={site.label}
      site={site}
      current={current !== null && site.layers.includes(current)}
      focusable={site === entry}
    />
  );
  const hover = tile_hover(view);
  const missing = manifest.missing.filter((site) => site.kind === kind).length;
  const most_down = Math.max(1, ...layout.rows.map((row) => row.down.length));
  const most_up = Math.max(1, ...layout.rows.map((row) => row.up.length));
  const root = useRef<HTMLDivElement>(null);
  const flat = view.breadth.value === "narrow" || layout.shape === "ladder";
  useLayoutEffect(() => {
    const u = root.current;
    return u ? fit_tiles(u, most_down + most_up) : undefined;
  }, [flat, most_down, most_up]);
  const notes = (
    <>
      <Received />
      {missing > 0 && (
        <p class="as-note">
          {missing} of {missing + captured[kind].length} {kind}-attention sites were not captured
        </p>
      )}
    </>
  );
  if (flat) {
    return (
      <>
        <div class="as-runs as-tight" role="grid" aria-label="attention layers" {...hover}>
          {runs(layout.order).map(({ label, sites }) => (
            <div class="as-run" key={sites[0]?.label}>
              <span class="as-run-head" aria-hidden="true">
                {label}
              </span>
              {/* biome-ignore lint/a11y/useFocusableInteractive: its tiles take the focus */}
              <div role="row" aria-label={label}>
                {sites.map(tile)}
              </div>
            </div>
          ))}
        </div>
        {notes}
      </>
    );
  }
  return (
    <div
      ref={root}
      class="as-u"
      role="grid"
      aria-label="attention layers"
      style={{ "--as-down": most_down, "--as-up": most_up }}
      {...hover}
    >
      <div class="as-u-head" aria-hidden="true">
        <span />
        <span>down</span>
        <span>mid</span>
        <span>up</span>
      </div>
      {layout.rows.map((row) => (
        // biome-ignore lint/a11y/useFocusableInteractive: its tiles take the focus
        <div class={row.mid.length ? "as-u-row as-u-bend" : "as-u-row"} role="row" key={row.label + row.mid.length}>
          <span class="as-u-grid">{row.label}</span>
          <div class="as-u-down">{row.down.map(tile)}</div>
          <div class={row.mid.length ? "as-u-mid" : row.down.length && row.up.length ? "as-u-skip" : ""}>
            {row.mid.map(tile)}
          </div>
          <div class="as-u-up">{row.up.map(tile)}</div>
        </div>
      ))}
      {notes}
    </div>
  );
}

/** What small maps of self-attention are, where no pixel is pinned. */
function Received() {
  const { at, state } = useView().scope;
  if (at.value.kind !== "self") return null;
  const pinned = state.is.uv.value !== null;
  const whose = at.value.direction === "row" ? "where the pinned pixel attends to" : "what attends to the pinned pixel";
  return (
    <p class="as-note as-received">
      {pinned ? whose : "received attention: 1 = an even share; pin a pixel to see where it attends to"}
    </p>
  );
}

/**
 * As large as the pane allows. Not by a CSS container query: with one, every change of a text inside the pane, and so
 * every hover, makes the browser restyle the whole pane.
 */
function fit_tiles(u: HTMLElement, columns: number): () => void {
  const observer = new ResizeObserver(([entry]) => {
    const width = entry?.contentRect.width ?? 0;
    u.style.setProperty("--as-tile", `${Math.min(92, Math.max(36, (width - 92) / columns - 8))}px`);
    u.classList.toggle("as-tight", width < 470);
  });
  observer.observe(u);
  return () => observer.disconnect();
}

function SiteTile({ site, current, focusable }: { site: Site; current: boolean; focusable: boolean }) {
  const view = useView();
  const { kind } = view.scope.at.value;
  const { label, name, module, layers, height, width, heads } = site;
  if (layers.length === 0) {
    return (
      <MissingTile label={label} reason={site.reason ?? "not recorded"} module={module} height={height} width={width} />
    );
  }
  const depth = layers.length > 1 ? `, mean of ${layers.length} transformer blocks` : "";
  const title = `${name}: ${height}×${width}, mean of ${heads} heads${depth} (${module})`;
  return (
    <Tile
      id={label}
      layers={layers}
      head={null}
      label={name}
      title={title}
      height={height}
      width={width}
      spark={kind === "cross"}
      current={current}
      focusable={focusable}
      data={{ "data-layer": label }}
      open={(event) => (event.altKey ? compare(view, { layer: label }) : open_site(view, site))}
    >
      {layers.length > 1 && <Depths id={label} name={name} layers={layers} />}
    </Tile>
  );
}
