/** What all views of one model share: the manifest, the selection, the packets. */

import { computed, type ReadonlySignal } from "@preact/signals";
import { as_bytes } from "./decode.ts";
import { OKABE_ITO } from "./luts.ts";
import { Player } from "./player.ts";
import { type Head, type LayerInfo, type Manifest, type Model, PROTOCOL, type Request, request } from "./protocol.ts";
import { State } from "./state.ts";
import { type Packet, Transport } from "./transport.ts";
import { type Layout, lay_out } from "./ulayout.ts";
import { type Chip, chips, colour_slots, columns, content } from "./words.ts";

/** The selection with every coordinate made valid for this capture. */
export interface At {
  level: "unet" | "layer" | "head";
  layer: LayerInfo;
  head: Head;
  /** Index among the captured steps, and its label. */
  index: number;
  step: number;
  image: number;
  branch: string;
  columns: number[];
}

type Rgb = readonly [number, number, number] | undefined;

const PREFETCH_STEPS = 3;

export class Scope {
  readonly manifest: Manifest;
  readonly state: State;
  readonly transport: Transport;
  /** One clock for all views: two would each move the step. */
  readonly player = new Player(this);
  /** How many views there are; with none left, nothing plays. */
  views = 0;
  readonly chips: Chip[];
  /** Words that compete in the strongest-word map. */
  readonly contenders: Chip[];
  readonly layout: Layout;
  readonly pictures: Promise<void>[];
  /** Those of them that are decoded. */
  readonly bitmaps: ImageBitmap[] = [];
  readonly at: ReadonlySignal<At>;
  #colours: Map<Chip, Rgb>;

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    const manifest = model.get("_manifest") as Manifest | undefined;
    if (!manifest?.protocol) throw new Error("the widget has no manifest: was it made by attnscope.Scope?");
    if (manifest.protocol !== PROTOCOL) {
      throw new Error(
        `Python speaks '${manifest.protocol}' (attnscope ${manifest.version}) and this page '${PROTOCOL}': ` +
          "restart the kernel and reload the page after an update of attnscope",
      );
    }
    if (manifest.layers.length === 0 || manifest.steps.length === 0) {
      throw new Error(
        "nothing was captured: run the pipeline inside `with attnscope.capture(pipe) as cap:` and show `cap`",
      );
    }
    this.manifest = manifest;
    this.chips = chips(manifest);
    const slots = colour_slots(manifest, this.chips, OKABE_ITO.length);
    this.#colours = new Map(this.chips.map((chip, i) => [chip, OKABE_ITO[slots[i] as number]]));
    const words = content(this.chips);
    this.contenders = words.length ? words : this.chips;
    this.layout = lay_out(manifest);

    this.state = new State(model);
    signal.addEventListener("abort", () => this.player.stop()); // before the state is written for the last time
    this.state.follow(signal);
    this.transport = new Transport((message) => model.send(message));
    const listener = (message: unknown, buffers?: unknown[]) => this.transport.receive(message, buffers ?? []);
    model.on("msg:custom", listener);
    signal.addEventListener("abort", () => {
      model.off("msg:custom", listener);
      this.transport.close();
    });
    this.#take_first();
    this.pictures = this.#read_pictures();
    this.at = computed(() => this.#resolve());
  }

  /** In the strongest-word map; undefined is "other". */
  colour_of(chip: Chip): Rgb {
    return this.#colours.get(chip);
  }

  /** The first atlas travels in traits, so that something is seen without a kernel. */
  #take_first(): void {
    const first = this.model.get("_first") as { items?: unknown[] } | null | undefined;
    if (!first?.items?.length) return;
    this.transport.receive({ ...first, type: "put" }, [this.model.get("_first_buffer")]);
  }

  #read_pictures(): Promise<void>[] {
    const bytes = as_bytes(this.model.get("_picture"));
    return this.manifest.pictures.map(async ([offset, length], i) => {
      if (length === 0 || offset + length > bytes.length) return;
      this.bitmaps[i] = await createImageBitmap(
        new Blob([bytes.slice(offset, offset + length)], { type: "image/png" }),
      );
    });
  }

  #resolve(): At {
    const { manifest } = this;
    const { level, layer, head, step, image, branch, token } = this.state.is;
    const info = manifest.layers.find((each) => each.layer === layer.value) ?? (manifest.layers[0] as LayerInfo);
    const wanted = step.value;
    let index = 0;
    manifest.steps.forEach((each, i) => {
      const best = manifest.steps[index] as { step: number };
      if (Math.abs(each.step - wanted) < Math.abs(best.step - wanted)) index = i;
    });
    const whose = head.value;
    return {
      level: level.value,
      layer: info,
      head: whose === "mean" || whose < 0 || whose >= info.single_heads ? "mean" : whose,
      index,
      step: (manifest.steps[index] as { step: number }).step,
      image: Math.min(Math.max(0, image.value), Math.max(0, manifest.images.length - 1)),
      branch: manifest.branches.includes(branch.value) ? branch.value : (manifest.branches[0] ?? "cond"),
      columns: columns(manifest, token.value),
    };
  }

  request(kind: Request["kind"], at: At, layer?: string, step = at.step): Request {
    const { image } = at;
    // Both branches predict one picture: previews are kept under the first.
    const branch = kind === "preview" ? (this.manifest.branches[0] ?? at.branch) : at.branch;
    return request(kind, layer === undefined ? { step, image, branch } : { step, image, branch, layer });
  }

  packet(kind: Request["kind"], at: At, layer?: string, step = at.step): Packet | undefined {
    return this.transport.get(this.request(kind, at, layer, step).id);
  }

  /** What is on screen at a step, and so must be there before playback moves on. */
  visible(at: At, step = at.step): Request[] {
    const out: Request[] = [];
    const { show_preview, scale } = this.state.is;
    if (at.level !== "unet") out.push(this.request("layer", at, at.layer.layer, step));
    const coarse = at.level !== "unet" && this.transport.has((out[0] as Request).id);
    if (!coarse) out.push(this.request("atlas", at, undefined, step));
    if (show_preview.value && this.manifest.preview) out.push(this.request("preview", at, undefined, step));
    if (scale.value === "run") {
      const layers = at.level === "unet" ? this.manifest.layers : [at.layer];
      for (const { layer } of layers) out.push(this.request("range", at, layer));
    }
    return out;
  }

  /** What is likely to be looked at next: every atlas in the direction of play, then the open layer's neighbours. */
  upcoming(at: At, direction: 1 | -1): Request[] {
    const { steps } = this.manifest;
    const ahead = steps.map((_, i) => (at.index + direction * i + steps.length * 2) % steps.length);
    const label = (index: number) => (steps[index] as { step: number }).step;
    const out = ahead.map((index) => this.request("atlas", at, undefined, label(index)));
    if (this.state.is.show_preview.value && this.manifest.preview) {
      out.push(...ahead.map((index) => this.request("preview", at, undefined, label(index))));
    }
    if (at.level !== "unet") {
      for (let distance = 1; distance <= PREFETCH_STEPS; distance++) {
        for (const index of [at.index + direction * distance, at.index - direction * distance]) {
          if (index >= 0 && index < steps.length) out.push(this.request("layer", at, at.layer.layer, label(index)));
        }
      }
    }
    return out;
  }
}
