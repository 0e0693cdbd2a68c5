/** Entry of the anywidget: one Scope per model, one view per output. */

import { Scope } from "./scope/scope.ts";
import { mount, show_failure } from "./view.tsx";
import type { Model } from "./wire/protocol.ts";

/** A factory, called once per model, so that no state is shared between widgets of one page. */
export default function attnscope() {
  let scope: Scope | null = null;
  let failed: unknown = null;
  return {
    initialize({ model, signal }: { model: Model; signal: AbortSignal }): void {
      try {
        scope = new Scope(model, signal);
      } catch (error) {
        failed = error; // shown by render, where there is a place to show it
      }
    },
    render({ el, signal }: { model: Model; el: HTMLElement; signal: AbortSignal }): (() => void) | undefined {
      if (scope) return mount(scope, el, signal);
      show_failure(el, failed);
      return undefined;
    },
  };
}
