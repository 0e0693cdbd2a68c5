/** Where we are, what was asked for, and what can leave. */

import { useState } from "preact/hooks";
import { compare, pin_view, set_kind, start_compare } from "../actions.ts";
import { expression } from "../scope/expression.ts";
import { traits_of } from "../scope/glimpse.ts";
import { state_code } from "../scope/python.ts";
import { head_name } from "../scope/selection.ts";
import type { Level } from "../wire/protocol.ts";
import { useView } from "./context.ts";
import { copy_text } from "./ErrorCard.tsx";
import { Export } from "./Export.tsx";
import { Select } from "./Select.tsx";

export function Header() {
  const view = useView();
  const { manifest } = view.scope;
  const { model, seed, guidance_scale, scheduler } = manifest;
  const facts = [
    model,
    scheduler,
    seed === null ? null : `seed ${seed}`,
    guidance_scale === null ? null : `guidance ${guidance_scale}`,
  ];
  return (
    <div class="as-header">
      <Breadcrumb />
      <p class="as-prompt" title={[manifest.prompt ?? manifest.title, ...facts].filter(Boolean).join("\n")}>
        {manifest.prompt === null ? manifest.title : `“${manifest.prompt}”`}
      </p>
      <Kinds />
      <Several />
      <Actions />
    </div>
  );
}

function Breadcrumb() {
  const view = useView();
  const { level, layer, head, kind } = view.scope.at.value;
  const go = (to: Level) => view.scope.state.set({ level: to });
  const site = view.scope.facts.value.layouts[kind].order.find((each) => each.layers.includes(layer?.layer));
  const deep = site && site.layers.length > 1;
  const crumb = (to: Level, text: string) => (
    <button type="button" class="as-crumb" aria-current={level === to} onClick={() => go(to)}>
      {text}
    </button>
  );
  return (
    <nav class="as-crumbs" aria-label="level">
      {crumb("unet", "UNet")}
      {level !== "unet" && deep && crumb("block", site.name)}
      {(level === "layer" || level === "head" || (level === "block" && !deep)) && crumb("layer", layer.layer)}
      {level === "block" && !deep && crumb("block", "block")}
      {level === "head" && crumb("head", head_name(head))}
    </nav>
  );
}

/** Cross-attention or self-attention; what was not recorded says so. */
function Kinds() {
  const view = useView();
  const { facts, at } = view.scope;
  const { kinds } = facts.value;
  const all = [
    ["cross", "cross", "pixels look at words (attn2)"],
    ["self", "self", "pixels look at pixels (attn1)"],
  ] as const;
  return (
    <div class="as-segments as-kinds" role="group" aria-label="kind of attention">
      {all.map(([kind, text, does]) => {
        const there = kinds.includes(kind);
        return (
          <button
            key={kind}
            type="button"
            aria-pressed={at.value.kind === kind}
            disabled={!there}
            title={there ? `${does}; t` : `${kind}-attention was not recorded: capture(pipe, kinds=("cross", "self"))`}
            onClick={() => set_kind(view, kind)}
          >
            {text}
          </button>
        );
      })}
    </div>
  );
}

/** Which image and which branch, where there are several. */
function Several() {
  const { scope } = useView();
  const { images, branches } = scope.manifest;
  const { image, branch } = scope.at.value;
  return (
    <>
      {images.length > 1 && (
        <Select
          label="image"
          value={image}
          options={images.map((_, i) => i)}
          name={(i) => `image ${images[Number(i)]}`}
          choose={(value) => scope.state.set({ image: Number(value) })}
        />
      )}
      {branches.length > 1 && (
        <Select
          label="branch"
          value={branch}
          options={branches}
          choose={(value) => scope.state.set({ branch: value })}
        />
      )}
    </>
  );
}

function Actions() {
  const view = useView();
  const { scope } = view;
  const { tray, leaving } = view;
  const pins = scope.state.is.pins.value.length;
  const [copied, set_copied] = useState("");
  const copy = async (what: "code" | "state", text: string) => {
    await copy_text(text);
    set_copied(what);
    setTimeout(() => set_copied(""), 1500);
    view.say(`${what} copied`);
  };
  const copy_code = () => {
    return copy("code", expression(scope, (view.painter.shown?.values.extent?.nan ?? 0) > 0));
  };
  const comparing = scope.state.is.compare.value !== null;
  return (
    <div class="as-actions">
      <button
        type="button"
        aria-pressed={comparing}
        title="compare with another step, head, layer, word or run"
        onClick={() => (comparing ? compare(view, null) : start_compare(view))}
      >
        ⇄ compare
      </button>
      <button type="button" class="as-pin-view" onClick={() => pin_view(view)} title="keep this view as a card (p)">
        pin
      </button>
      <button
        type="button"
        class="as-tray"
        disabled={pins === 0}
        aria-expanded={tray.value && pins > 0}
        aria-pressed={tray.value && pins > 0}
        title="pinned views"
        onClick={() => (tray.value = !tray.value)}
      >
        {pins} {pins === 1 ? "pin" : "pins"}
      </button>
      <button type="button" class="as-copy" onClick={copy_code} title="copy the xarray expression of what is shown">
        {copied === "code" ? "copied" : "</>"}
      </button>
      <button
        type="button"
        class="as-copy as-copy-state"
        onClick={() => copy("state", state_code(traits_of(scope.state)))}
        title="copy the state of the scope as Python"
      >
        {copied === "state" ? "copied" : "{ }"}
      </button>
      <button
        type="button"
        class="as-leave"
        aria-haspopup="dialog"
        aria-expanded={leaving.value !== false}
        onClick={() => (leaving.value = true)}
        title="save or copy what is shown (e)"
      >
        export
      </button>
      <Export />
      <button
        type="button"
        class="as-help-button"
        aria-label="keys"
        aria-haspopup="dialog"
        onClick={() => (view.help.value = !view.help.value)}
        title="keys (?)"
      >
        ?
      </button>
    </div>
  );
}
