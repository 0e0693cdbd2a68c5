/** One of a block's attentions: its map, what it looks at, and how it is computed. */

import { open_layer } from "../actions.ts";
import { type Lane, lanes, type Step, several, shape_text, shapes_text } from "../scope/anatomy.ts";
import type { Block } from "../scope/layout.ts";
import type { Kind } from "../wire/protocol.ts";
import type { Norm } from "./Block.tsx";
import { arrow, NormBar, type Opening, Steps, Toggle } from "./BlockSteps.tsx";
import { useView } from "./context.ts";
import { MissingTile, Tile } from "./Tile.tsx";

const MODULES: Record<Kind, string> = { self: "attn1", cross: "attn2" };

export function Attention(props: {
  /** null: nothing is known of it but its map. */
  step: Step | null;
  kind: Kind;
  block: Block;
  norm: Norm | null;
  opening: Opening;
}) {
  const { step, kind, block, norm, opening } = props;
  const name = step?.row.operation ?? (block[kind]?.module.split(".").at(-1) || MODULES[kind]);
  const [, text] = step ? several(step.row.input) : [];
  const key = `BasicTransformerBlock ${name}`;
  return (
    <div class="as-attention" data-operation={name} title={step?.row.module}>
      <span class="as-node" />
      <div class="as-attention-says">
        <p>
          <b>{name}</b> {kind}-attention
        </p>
        {step && (
          <p>
            <code class="as-definition">{arrow(step.row.definition)}</code>{" "}
            <code class="as-shape">{shapes_text(step.row.output)}</code>
          </p>
        )}
        <p class="as-looks">
          {kind === "cross" ? "pixels look at words" : "pixels look at pixels"}
          {text && (
            <>
              {" "}
              <code class="as-shape">{shape_text(text)}</code>
            </>
          )}
        </p>
        {norm && <NormBar norm={norm} what={name} />}
        {step && step.inside.length > 0 && <Toggle name={key} text="Q, K, V" opening={opening} />}
      </div>
      <MapTile kind={kind} block={block} name={name} />
      {step && opening.opened.has(key) && <Inside name={name} steps={step.inside} opening={opening} />}
    </div>
  );
}

/** The live map; its heads one click away. */
function MapTile({ kind, block, name }: { kind: Kind; block: Block; name: string }) {
  const view = useView();
  const { scope } = view;
  const info = block[kind];
  const other = block.cross ?? block.self;
  const { layer } = block;
  if (!info) {
    const gone = scope.manifest.missing.find((each) => each.layer === layer && each.kind === kind);
    const asked = `${kind}-attention was not recorded`;
    return (
      <MissingTile
        label={name}
        reason={gone?.reason ?? asked}
        module={gone?.module ?? (other?.module ?? "").replace(/[^.]+$/, name)}
        height={other?.height ?? 1}
        width={other?.width ?? 1}
      />
    );
  }
  return (
    <Tile
      id={`open ${kind}`}
      layers={[layer]}
      head={null}
      kind={kind}
      label={`${layer} ${name}`}
      caption={name}
      title={`${name} of ${layer}: ${kind}-attention, mean of ${info.heads} heads; opens the heads`}
      height={info.height}
      width={info.width}
      spark={false}
      current={false}
      focusable={scope.at.value.kind === kind}
      alone
      data={{ "data-kind": kind }}
      open={() => open_layer(view, layer, kind)}
    />
  );
}

/** Q, K and V side by side, their heads, and how these meet; then what the processor does, step by step. */
function Inside({ name, steps, opening }: { name: string; steps: Step[]; opening: Opening }) {
  const three = lanes(steps);
  const processor = steps.find(({ row }) => row.operation === "attention");
  const key = `${name} processor`;
  if (!three) {
    return (
      <div class="as-inside">
        <Steps steps={steps} opening={opening} />
      </div>
    );
  }
  return (
    <div class="as-inside">
      <Lanes lanes={three} steps={steps} />
      {processor && processor.inside.length > 0 && (
        <>
          <Toggle name={key} text="step by step, in the processor" opening={opening} />
          {opening.opened.has(key) && <Steps steps={processor.inside} opening={opening} />}
        </>
      )}
    </div>
  );
}

function Lanes({ lanes: [q, k, v], steps }: { lanes: Lane[]; steps: Step[] }) {
  const three = [q, k, v] as [Lane, Lane, Lane];
  const [heads = 1, pixels = 1, width = 1] = three[0].split;
  const scores = [heads, pixels, three[1].split[1] as number];
  const of = (operation: string) => steps.find(({ row }) => row.operation === operation)?.row;
  const [sum, merge, out] = ["attention", "merge heads", "to_out"].map(of);
  return (
    <div class="as-lanes">
      {three.map(({ name, definition, shape }) => (
        <div key={name} class="as-lane">
          <b>{name}</b>
          <code>{arrow(definition)}</code>
          <code class="as-shape">{shape_text(shape)}</code>
        </div>
      ))}
      {three.map(({ name, split }) => (
        <div key={name} class="as-lane">
          <span>
            {heads} {heads === 1 ? "head" : "heads"}
          </span>
          <code class="as-shape">{shape_text(split)}</code>
        </div>
      ))}
      <div class="as-lane as-scores">
        <b>scores</b>
        <code>softmax(QKᵀ / √{width})</code>
        <code class="as-shape">{shape_text(scores)}</code>
        <span>the map</span>
      </div>
      <div class="as-lane as-pass" />
      <div class="as-lane as-joined">
        <b>weighted sum</b>
        <code>scores · V</code>
        <code class="as-shape">{shapes_text(sum?.output ?? three[0].split)}</code>
      </div>
      {merge && (
        <div class="as-lane as-joined">
          <b>merge heads</b>
          <code>{merge.definition}</code>
          <code class="as-shape">{shapes_text(merge.output)}</code>
        </div>
      )}
      {out && (
        <div class="as-lane as-joined">
          <b>to_out</b>
          <code>{arrow(out.definition)}</code>
          <code class="as-shape">{shapes_text(out.output)}</code>
        </div>
      )}
    </div>
  );
}
