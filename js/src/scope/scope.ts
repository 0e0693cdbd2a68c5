/** What all views of one model share: the manifest, the selection, the packets. */

import { batch, computed, type ReadonlySignal, signal as reactive } from "@preact/signals";
import { OKABE_ITO } from "../maps/luts.ts";
import { as_bytes } from "../wire/decode.ts";
import {
  type Head,
  type LayerInfo,
  type Manifest,
  type Model,
  PROTOCOL,
  type Request,
  request,
  type StepMessage,
} from "../wire/protocol.ts";
import { type Packet, Transport } from "../wire/transport.ts";
import { type Layout, lay_out } from "./layout.ts";
import { Player } from "./player.ts";
import { State } from "./state.ts";
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

/** What the manifest says, and what follows from it. */
interface Facts {
  manifest: Manifest;
  chips: Chip[];
  /** Words that compete in the strongest-word map. */
  contenders: Chip[];
  colours: Map<Chip, Rgb>;
  layout: Layout;
  pictures: Promise<void>[];
  /** Those of them that are decoded. */
  bitmaps: ImageBitmap[];
}

export class Scope {
  readonly state: State;
  readonly transport: Transport;
  /** One clock for all views: two would each move the step. */
  readonly player = new Player(this);
  /** How many views there are; with none left, nothing plays. */
  views = 0;
  readonly at: ReadonlySignal<At>;
  /** Constant, but while a run goes on: then every step gives another one, and who reads it draws itself anew. */
  readonly facts = reactive({} as Facts);

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    this.state = new State(model);
    signal.addEventListener("abort", () => this.player.stop()); // before the state is written for the last time
    this.state.follow(signal);
    this.transport = new Transport((message) => model.send(message));
    this.at = computed(() => this.#resolve());
    this.#open();
    const listeners = {
      "msg:custom": (message: { type?: string } | null, buffers: unknown[] = []) =>
        message?.type === "step"
          ? this.#grow(message as StepMessage, buffers)
          : this.transport.receive(message, buffers),
      "change:_manifest": () => this.#open(),
    };
    for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
    signal.addEventListener("abort", () => {
      for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
      this.transport.close();
    });
  }

  get manifest(): Manifest {
    return this.facts.value.manifest;
  }

  /** Places on the scrubber: of a run that goes on those of the steps to come too, where they are known. */
  get places(): number {
    const { live, run_steps, steps } = this.manifest;
    const { length } = steps;
    return live && run_steps && steps[length - 1]?.step === length - 1 ? Math.max(run_steps, length) : length;
  }

  /** Whether the newest step is shown; then the next one will be, as soon as it is there. */
  get following(): boolean {
    return this.at.value.index >= this.manifest.steps.length - 1;
  }

  #open(): void {
    const manifest = this.model.get("_manifest") as Manifest | undefined;
    if (!manifest?.protocol) throw new Error("the widget has no manifest: was it made by attnscope.Scope?");
    if (manifest.protocol !== PROTOCOL) {
      throw new Error(
        `Python speaks '${manifest.protocol}' (attnscope ${manifest.version}) and this page '${PROTOCOL}': ` +
          "restart the kernel and reload the page after an update of attnscope",
      );
    }
    if (!manifest.steps.length) {
      this.player.stop();
      this.transport.clear();
    }
    const all = chips(manifest);
    const slots = colour_slots(manifest, all, OKABE_ITO.length);
    const words = content(all);
    const bitmaps: ImageBitmap[] = [];
    const followed = this.facts.peek().manifest?.live && this.following;
    batch(() => {
      this.facts.value = {
        manifest,
        chips: all,
        contenders: words.length ? words : all,
        colours: new Map(all.map((chip, i) => [chip, OKABE_ITO[slots[i] as number]])),
        layout: lay_out(manifest),
        pictures: this.#read_pictures(manifest, bitmaps),
        bitmaps,
      };
      this.#take_first();
    });
    if (followed && !manifest.live) this.model.save_changes(); // the step reached: what was said before may be older
  }

  /** A step of the run that goes on: shown, unless the reader has gone back to another. */
  #grow({ step, mass, ...put }: StepMessage, buffers: unknown[]): void {
    const { steps, mass: all } = this.manifest;
    if (steps.some((known) => known.step === step.step)) return;
    const follows = this.following && !this.player.playing.peek();
    batch(() => {
      this.transport.drop(/^range/); // it may be wider now
      this.transport.receive({ ...put, type: "put" }, buffers);
      steps.push(step);
      for (const layer in mass) (all[layer] ??= []).push(mass[layer] as (number | null)[]);
      this.facts.value = { ...this.facts.peek() };
      if (follows) this.state.follow_run(step.step);
    });
  }

  /** In the strongest-word map; undefined is "other". */
  colour_of(chip: Chip): Rgb {
    return this.facts.value.colours.get(chip);
  }

  /** The first atlas travels in traits, so that something is seen without a kernel. */
  #take_first(): void {
    const first = this.model.get("_first") as { items?: unknown[] } | null | undefined;
    if (!first?.items?.length) return;
    this.transport.receive({ ...first, type: "put" }, [this.model.get("_first_buffer")]);
  }

  #read_pictures({ pictures }: Manifest, bitmaps: ImageBitmap[]): Promise<void>[] {
    const bytes = as_bytes(this.model.get("_picture"));
    return pictures.map(async ([offset, length], i) => {
      if (length === 0 || offset + length > bytes.length) return;
      bitmaps[i] = await createImageBitmap(new Blob([bytes.slice(offset, offset + length)], { type: "image/png" }));
    });
  }

  #resolve(): At {
    const { manifest } = this;
    const { level, layer, head, step, image, branch, token } = this.state.is;
    const info = manifest.layers.find((each) => each.layer === layer.value) ?? (manifest.layers[0] as LayerInfo);
    const wanted = step.value;
    const { steps } = manifest;
    let index = 0;
    steps.forEach((each, i) => {
      const best = steps[index] as { step: number };
      if (Math.abs(each.step - wanted) < Math.abs(best.step - wanted)) index = i;
    });
    const whose = head.value;
    return {
      level: steps.length ? level.value : "unet",
      layer: info,
      head: whose === "mean" || whose < 0 || whose >= info?.single_heads ? "mean" : whose,
      index,
      step: steps[index]?.step ?? 0,
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
    if (!this.manifest.steps.length) return out;
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
