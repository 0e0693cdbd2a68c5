/** Stacked transformer blocks side by side: both maps of each, and how they are spread. One of them is open. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { compare } from "../actions.ts";
import { paint_entropies } from "../paint/depths.ts";
import type { Frame } from "../paint/frame.ts";
import type { Block } from "../scope/layout.ts";
import type { Kind } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { MissingTile, Tile } from "./Tile.tsx";

const ROWS: readonly (readonly [Kind, string])[] = [
  ["self", "attn1 self: pixels look at pixels"],
  ["cross", "attn2 cross: pixels look at words"],
];

export function Blocks({ blocks, open }: { blocks: Block[]; open: Block }) {
  const { scope } = useView();
  const { kinds } = scope.facts.value;
  return (
    <div class="as-blocks" style={{ "--as-columns": blocks.length }}>
      <div role="grid" aria-label="transformer blocks">
        {ROWS.filter(([kind]) => kinds.includes(kind)).map(([kind, title]) => (
          // biome-ignore lint/a11y/useFocusableInteractive: its tiles take the focus
          <div key={kind} role="row" class="as-blocks-row" aria-label={title}>
            <span class="as-blocks-head" aria-hidden="true">
              {title}
            </span>
            {blocks.map((block) => (
              <BlockTile key={block.layer} block={block} kind={kind} current={block === open} />
            ))}
          </div>
        ))}
      </div>
      <Entropies layers={blocks.map(({ layer }) => layer)} />
    </div>
  );
}

function BlockTile({ block, kind, current }: { block: Block; kind: Kind; current: boolean }) {
  const view = useView();
  const { scope } = view;
  const { layer, depth } = block;
  const info = block[kind];
  const { height, width, module } = info ?? block.cross ?? block.self ?? scope.at.value.layer;
  if (!info) {
    const gone = scope.manifest.missing.find((each) => each.layer === layer && each.kind === kind);
    const reason = gone?.reason ?? "not recorded";
    return <MissingTile label={String(depth)} reason={reason} module={module} height={height} width={width} />;
  }
  return (
    <Tile
      id={`${kind} ${layer}`}
      layers={[layer]}
      head={null}
      kind={kind}
      label={`${layer} ${kind}`}
      caption={String(depth)}
      title={`block ${depth}: ${kind}-attention of ${layer}, mean of ${info.heads} heads`}
      height={height}
      width={width}
      spark={false}
      current={current}
      focusable={current && scope.at.value.kind === kind}
      data={{ "data-block": layer }}
      open={(event) => (event.altKey ? compare(view, { layer }) : scope.state.set({ layer }))}
    />
  );
}

function Entropies({ layers }: { layers: string[] }) {
  const { painter } = useView();
  const root = useRef<HTMLDivElement>(null);
  const names = layers.join();
  useLayoutEffect(() => {
    const element = root.current as HTMLDivElement;
    const follow = (frame: Frame) => paint_entropies(element, names.split(","), frame);
    painter.followers.add(follow);
    painter.schedule();
    return () => void painter.followers.delete(follow);
  }, [painter, names]);
  return (
    <div class="as-blocks-row as-entropies" ref={root}>
      <span class="as-blocks-head" />
      {layers.map((layer) => (
        <span key={layer} />
      ))}
    </div>
  );
}
