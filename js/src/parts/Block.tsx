/** A Transformer2DModel from top to bottom: every step with its shape, both attentions with their maps. */

import { useState } from "preact/hooks";
import { adds, read_anatomy, type Step, take_apart } from "../scope/anatomy.ts";
import { type Block, blocks_of, grid_label } from "../scope/layout.ts";
import { ask } from "../scope/wants.ts";
import type { Anatomy } from "../wire/protocol.ts";
import { Attention } from "./BlockAttention.tsx";
import { Line, type Opening, Steps } from "./BlockSteps.tsx";
import { Blocks } from "./BlockStrip.tsx";
import { useView } from "./context.ts";
import { tile_hover } from "./pointer.ts";

/** The block's path in the model. */
const path = ({ cross, self }: Block): string => ((cross ?? self)?.module ?? "").replace(/\.[^.]+$/, "");

export function BlockView() {
  const view = useView();
  const { scope } = view;
  view.news.value; // the table may come yet
  const at = scope.at.value;
  const { heads, head_width, height, width, layer } = at.layer;
  const blocks = blocks_of(scope.manifest, at.layer);
  const block = blocks.find((each) => each.layer === layer) as Block;
  const table = (of: Block): Anatomy | null => {
    const packet = scope.packet("anatomy", at, { layer: of.layer });
    return packet ? read_anatomy(packet) : null;
  };
  const [opened, set_opened] = useState<ReadonlySet<string>>(new Set());
  const opening: Opening = {
    opened,
    toggle: (key) => {
      const next = new Set(opened);
      if (!next.delete(key)) next.add(key);
      set_opened(next);
    },
  };
  // All blocks of a transformer have the same steps: until its own table is here, that of another stands in.
  const known = [block, ...blocks].find(table);
  const rows = (known && table(known)?.rows) ?? [];
  const { before, block: groups, after } = take_apart(rows, known ? path(known) : "");
  const strip = blocks.length > 1 && <Blocks blocks={blocks} open={block} />;
  const attention = (step: Step | null, kind: "cross" | "self") => (
    <Attention
      key={kind}
      step={step}
      kind={kind}
      block={block}
      norm={norm_of(table(block), step?.row.operation, at.index)}
      opening={opening}
    />
  );
  return (
    <div class="as-block" {...tile_hover(view)}>
      <p class="as-layer-line">
        <span>
          <b>Transformer2DModel</b> · {grid_label(height, width)} · {blocks.length}{" "}
          {blocks.length === 1 ? "block" : "blocks"} · {heads} heads of width {head_width}
        </span>
        <code title={path(block)}>{path(block)}</code>
      </p>
      {groups.length ? (
        <div class="as-flow">
          <div class={adds(after) ? "as-residual as-outer" : undefined}>
            {before.map((step, i) => (
              <Line key={i} step={step} opening={opening} />
            ))}
            {strip}
            {groups.map((group, i) => (
              <div key={i} class={adds(group) ? "as-residual" : undefined}>
                {group.map((step, j) => {
                  const kind = kind_of(step, block);
                  if (kind) return attention(step, kind);
                  const norm = norm_of(table(block), step.row.operation, at.index);
                  return <Steps key={j} steps={[step]} opening={opening} norm={norm} />;
                })}
              </div>
            ))}
            {after.map((step, i) => (
              <Line key={i} step={step} opening={opening} />
            ))}
          </div>
        </div>
      ) : (
        <>
          {strip}
          {attention(null, "self")}
          {attention(null, "cross")}
          <Why layer={layer} />
        </>
      )}
    </div>
  );
}

/** Of what is attention: the kind that was captured under this module, else what it takes in tells. */
function kind_of({ row, inside }: Step, { cross, self }: Block): "cross" | "self" | null {
  if (row.module === cross?.module) return "cross";
  if (row.module === self?.module) return "self";
  if (!inside.length || !/^attn/.test(row.operation)) return null;
  return Array.isArray(row.input[0]) ? "cross" : "self";
}

export interface Norm {
  value: number;
  /** Of the greatest of the block, over all steps. */
  share: number;
}

function norm_of(table: Anatomy | null, part: string | undefined, index: number): Norm | null {
  const all = table?.measures as Record<string, (number | null)[]> | null | undefined;
  const value = part === undefined ? null : all?.[part]?.[index];
  if (!all || value == null) return null;
  const most = Object.values(all)
    .flat()
    .reduce((a: number, b) => Math.max(a, b ?? 0), 0);
  return { value, share: most > 0 ? value / most : 0 };
}

/** Why there are no steps: they cannot be had, or could not be got, or are on their way. */
function Why({ layer }: { layer: string }) {
  const view = useView();
  const { scope } = view;
  view.news.value;
  const { id } = ask(scope, "anatomy", scope.at.value, { layer });
  const failure = scope.transport.failures.get(id);
  if (!scope.manifest.anatomy) {
    return (
      <p class="as-note">
        The steps between the attentions are not known: this capture does not hold the configuration of its UNet.
      </p>
    );
  }
  if (!failure) return <p class="as-note">the steps of this transformer are on their way</p>;
  return (
    <p class="as-note as-why">
      The steps between the attentions are not here: {failure.text}{" "}
      <button
        type="button"
        onClick={() => {
          view.hold_focus();
          scope.transport.retry(id);
        }}
      >
        try again
      </button>
    </p>
  );
}
