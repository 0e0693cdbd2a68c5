/** Steps as lines: what is done, by what, and the shape that comes out. What a step is made of opens below it. */

import { figure } from "../maps/numbers.ts";
import { type Step, shapes_text } from "../scope/anatomy.ts";
import type { Norm } from "./Block.tsx";

export interface Opening {
  opened: ReadonlySet<string>;
  toggle: (key: string) => void;
}

export const arrow = (definition: string): string => definition.replaceAll("-> ", "→\u00a0");

export function Steps({ steps, opening, norm }: { steps: Step[]; opening: Opening; norm?: Norm | null }) {
  return (
    <>
      {steps.map((step, i) => {
        const key = `${step.row.part} ${step.row.operation}`;
        const open = step.inside.length > 0 && opening.opened.has(key);
        return (
          <div key={i} class={open ? "as-opened" : undefined}>
            <Line step={step} opening={opening} norm={norm} />
            {open && (
              <div class="as-inside">
                <Steps steps={step.inside} opening={opening} />
              </div>
            )}
          </div>
        );
      })}
    </>
  );
}

export function Line({ step, opening, norm }: { step: Step; opening: Opening; norm?: Norm | null | undefined }) {
  const { part, operation, module, definition, input, output } = step.row;
  const added = definition === "+";
  const off = definition.startsWith("off");
  return (
    <div
      class={`as-op${added ? " as-add" : ""}${off ? " as-off-op" : ""}`}
      data-operation={operation}
      title={`${module}\n${shapes_text(input)} → ${shapes_text(output)}`}
    >
      <span class="as-node" />
      {step.inside.length ? (
        <Toggle name={`${part} ${operation}`} text={operation} opening={opening} />
      ) : (
        <span class="as-operation">{operation}</span>
      )}
      <code class="as-definition">{added ? "" : arrow(definition)}</code>
      {norm && <NormBar norm={norm} what={operation} />}
      <code class="as-shape">{shapes_text(output)}</code>
    </div>
  );
}

export function Toggle({ name, text, opening }: { name: string; text: string; opening: Opening }) {
  return (
    <button
      type="button"
      class="as-operation as-toggle"
      aria-expanded={opening.opened.has(name)}
      onClick={() => opening.toggle(name)}
    >
      {text}
    </button>
  );
}

export function NormBar({ norm, what }: { norm: Norm; what: string }) {
  return (
    <span class="as-norm" title={`mean norm of what ${what} adds to the stream at this step`}>
      <i style={{ transform: `scaleX(${norm.share})` }} />
      adds {figure(norm.value)}
    </span>
  );
}
