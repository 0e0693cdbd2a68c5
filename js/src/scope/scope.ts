/** What all views of one model share: the manifest, the selection, the packets. */

import { batch, computed, type ReadonlySignal, signal as reactive } from "@preact/signals";
import type { Rgb } from "../maps/colouring.ts";
import { type Kind, type Manifest, type Model, PROTOCOL, type Request, type StepMessage } from "../wire/protocol.ts";
import { type Packet, Transport } from "../wire/transport.ts";
import { type Facts, facts_of } from "./facts.ts";
import { Player } from "./player.ts";
import { type At, resolve, resolve_other, type Wanted } from "./selection.ts";
import { State } from "./state.ts";
import { ask, type Place, upcoming, visible } from "./wants.ts";
import type { Chip } from "./words.ts";

export class Scope {
  readonly state: State;
  readonly transport: Transport;
  /** One clock for all views: two would each move the step. */
  readonly player = new Player(this);
  /** How many views there are; with none left, nothing plays. */
  views = 0;
  readonly at: ReadonlySignal<At>;
  /** The same place seen as one kind of attention. */
  readonly at_of: Record<Kind, ReadonlySignal<At>>;
  /** What `at` is compared with. */
  readonly other_at: ReadonlySignal<At | null>;
  /** Constant, but while a run goes on: then every step gives another one, and who reads it draws itself anew. */
  readonly facts = reactive({} as Facts);
  /** Of the second capture. */
  readonly other = reactive<Facts | null>(null);

  constructor(
    readonly model: Model,
    signal: AbortSignal,
  ) {
    this.state = new State(model);
    signal.addEventListener("abort", () => this.player.stop()); // before the state is written for the last time
    this.state.follow(signal);
    this.transport = new Transport((message) => model.send(message));
    this.at = computed(() => resolve(this.facts.value, this.#wanted()));
    const seen_as = (kind: Kind) => computed(() => resolve(this.facts.value, { ...this.#wanted(), kind }));
    this.at_of = { cross: seen_as("cross"), self: seen_as("self") };
    this.other_at = computed(() =>
      resolve_other(this.facts.value, this.other.value, this.#wanted(), this.state.is.compare.value),
    );
    this.#open();
    const listeners = {
      "msg:custom": (message: { type?: string } | null, buffers: unknown[] = []) =>
        message?.type === "step"
          ? this.#grow(message as StepMessage, buffers)
          : this.transport.receive(message, buffers),
      "change:_manifest": () => this.#open(),
      // Jupyter's: the comm was closed, or the kernel died or came back. Whether one can ask again shows when one does.
      "comm:close": () => this.transport.lose(),
      comm_live_update: () => this.transport.lose(),
    };
    for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
    signal.addEventListener("abort", () => {
      for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
      this.transport.close();
      this.#close_pictures();
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
    const followed = this.facts.peek().manifest?.live && this.following;
    this.#close_pictures();
    batch(() => {
      this.facts.value = facts_of(manifest, this.model.get("_picture"));
      this.other.value = manifest.other ? facts_of(manifest.other, this.model.get("_other_picture")) : null;
      this.#take_first();
    });
    if (followed && !manifest.live) this.model.save_changes(); // the step reached: what was said before may be older
  }

  /** A decoded picture is some megabytes outside of what is collected soon. */
  #close_pictures(): void {
    for (const facts of [this.facts.peek(), this.other.peek()])
      for (const bitmap of facts?.bitmaps?.splice(0) ?? []) bitmap?.close();
  }

  /** A step of the run that goes on: shown, unless the reader has gone back to another. */
  #grow({ step, mass, ...put }: StepMessage, buffers: unknown[]): void {
    const { steps, mass: all } = this.manifest;
    if (steps.some((known) => known.step === step.step)) return;
    const follows = this.following && !this.player.playing.peek();
    batch(() => {
      this.transport.drop(/^(range|strip)/); // they go over all steps
      this.transport.receive({ ...put, type: "put" }, buffers);
      steps.push(step);
      for (const layer in mass) (all[layer] ??= []).push(mass[layer] as (number | null)[]);
      this.facts.value = { ...this.facts.peek() };
      if (follows) this.state.follow_run(step.step);
    });
  }

  /** In the strongest-word map; undefined is "other". */
  colour_of(chip: Chip): Rgb | undefined {
    return this.facts.value.colours.get(chip);
  }

  /** The first atlas travels in traits, so that something is seen without a kernel. */
  #take_first(): void {
    const first = this.model.get("_first") as { items?: unknown[] } | null | undefined;
    if (!first?.items?.length) return;
    this.transport.receive({ ...first, type: "put" }, [this.model.get("_first_buffer")]);
  }

  #wanted(): Wanted {
    const { level, kind, layer, head, step, token, image, branch, direction } = this.state.is;
    return {
      level: level.value,
      kind: kind.value,
      layer: layer.value,
      head: head.value,
      step: step.value,
      token: token.value,
      image: image.value,
      branch: branch.value,
      direction: direction.value,
    };
  }

  facts_of({ capture }: { capture: 0 | 1 }): Facts {
    return (capture && this.other.value) || this.facts.value;
  }

  packet(kind: Request["kind"], at: At, place?: Place): Packet | undefined {
    return this.transport.get(ask(this, kind, at, place).id);
  }

  /** What is on screen at a step, and so must be there before playback moves on. */
  visible(at: At, step = at.step): Request[] {
    const other = this.other_at.value;
    const follows = other && this.state.is.compare.value?.step === undefined;
    return [...visible(this, at, step), ...(other ? visible(this, other, follows ? step : other.step) : [])];
  }

  upcoming(at: At, direction: 1 | -1): Request[] {
    return upcoming(this, at, direction);
  }
}
