/** Says where one has come to: for those who do not see it change. */

import { effect } from "@preact/signals";
import { run_steps } from "./scope/axis.ts";
import { type Coordinate, value_name } from "./scope/comparing.ts";
import { head_name } from "./scope/selection.ts";
import type { View } from "./view.tsx";

type Topic = "place" | "step" | "compare";

export function announce(view: View): () => void {
  let was: Record<Topic, string> | null = null;
  return effect(() => {
    const now = topics(view);
    // Of a run that goes on, and while steps are played, only where it stops.
    if (was && (view.player.playing.value || view.scope.manifest.live)) now.step = was.step;
    for (const topic of Object.keys(now) as Topic[]) if (was && was[topic] !== now[topic]) view.say(now[topic], topic);
    was = now;
  });
}

function topics({ scope }: View): Record<Topic, string> {
  const { level, kind, layer, head, step } = scope.at.value;
  const compare = scope.state.is.compare.value;
  const total = run_steps(scope);
  const place = {
    unet: "all layers",
    block: `block of ${layer?.layer}`,
    layer: `layer ${layer?.layer}, ${layer?.heads} heads`,
    head: `layer ${layer?.layer}, ${head_name(head)}`,
  }[level];
  const changes = Object.entries(compare ?? {}).map(([name, to]) => {
    const said = value_name(scope, name as Coordinate, to);
    return ["layer", "image", "branch"].includes(name) ? `${name} ${said}` : said;
  });
  return {
    place: `${kind}-attention, ${place}`,
    step: `step ${step}${total === null ? "" : ` of ${total}`}`,
    compare: compare ? `compared: B has ${changes.join(", ")}` : "no comparison",
  };
}
