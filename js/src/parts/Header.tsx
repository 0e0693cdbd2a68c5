/** Where we are, what was asked for, and what can leave. */

import { useState } from "preact/hooks";
import { save_png } from "../export/png.ts";
import { KEYS } from "../keyboard.ts";
import { code } from "../scope/code.ts";
import { useView } from "./context.ts";
import { copy_text } from "./ErrorCard.tsx";
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
      <Several />
      <Actions />
    </div>
  );
}

function Breadcrumb() {
  const view = useView();
  const { level, layer, head } = view.scope.at.value;
  const go = (to: "unet" | "layer") => view.scope.state.set({ level: to });
  return (
    <nav class="as-crumbs" aria-label="level">
      <button type="button" class="as-crumb" aria-current={level === "unet"} onClick={() => go("unet")}>
        UNet
      </button>
      {level !== "unet" && (
        <button type="button" class="as-crumb" aria-current={level === "layer"} onClick={() => go("layer")}>
          {layer.layer}
        </button>
      )}
      {level === "head" && (
        <button type="button" class="as-crumb" aria-current={true}>
          {head === "mean" ? "mean" : `head ${head}`}
        </button>
      )}
    </nav>
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
  const [copied, set_copied] = useState(false);
  const copy = async () => {
    const { at, manifest, state } = scope;
    const { level, layer, head, step, image, branch } = at.value;
    const text = code({
      level,
      kind: layer.kind,
      layer: layer.layer,
      head,
      step,
      token: state.is.token.value,
      image,
      images: manifest.images.length,
      branch,
      branches: manifest.branches.length,
      gaps: (view.painter.shown?.extent?.nan ?? 0) > 0,
    });
    await copy_text(text);
    set_copied(true);
    setTimeout(() => set_copied(false), 1500);
    view.say("code copied");
  };
  const save = () => save_png(view).catch((error: Error) => (view.broken.value = error));
  return (
    <div class="as-actions">
      <button type="button" class="as-copy" onClick={copy} title="copy the xarray expression of what is shown">
        {copied ? "copied" : "</>"}
      </button>
      <button type="button" class="as-save" onClick={save} title="save what is shown as a PNG">
        PNG
      </button>
      <button
        type="button"
        class="as-help-button"
        aria-expanded={view.help.value}
        onClick={() => (view.help.value = !view.help.value)}
        title="keys (?)"
      >
        ?
      </button>
      {view.help.value && (
        <dl class="as-help">
          {KEYS.map(([keys, does]) => (
            <div key={keys}>
              <dt>{keys}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}
