/** The heads of the whole network that follow the chosen word. */

import { useRef } from "preact/hooks";
import { compare } from "../actions.ts";
import { figure } from "../maps/numbers.ts";
import type { Ranked } from "../scope/ranking.ts";
import { best_heads } from "../scope/wants.ts";
import { useView } from "./context.ts";
import { tile_hover } from "./pointer.ts";
import { Tile } from "./Tile.tsx";

const SCORE =
  "in order of focus × log₂N × ⁴√mass: by how many bits the word's map is narrower than an even one over its N pixels, " +
  "times the fourth root of its mean attention. A head that looks narrowly at another place ranks as high.";

export function Best() {
  const view = useView();
  const { scope } = view;
  const at = scope.at.value;
  view.news.value;
  const found = best_heads(scope, at);
  // While steps go by, and until the next one's numbers are here, the order stands still.
  const key = [at.image, at.branch, ...at.columns].join();
  const last = useRef<{ key: string; best: Ranked[] }>({ key: "", best: [] });
  if (last.current.key !== key || (found.length && !scope.player.playing.value)) last.current = { key, best: found };
  const { best } = last.current;
  const most = best[0]?.score;
  if (!most || !at.columns.length || at.kind === "self") return null;
  const words = scope.facts.value.chips.filter(({ columns }) => columns.some((column) => at.columns.includes(column)));
  const name = `heads that follow ${words.map(({ text }) => `‘${text}’`).join(" + ")}`;
  return (
    <div class="as-best">
      <p class="as-note" title={SCORE}>
        {name}
      </p>
      <div role="grid" aria-label={name} {...tile_hover(view)}>
        {/* biome-ignore lint/a11y/useFocusableInteractive: its tiles take the focus */}
        <div role="row">
          {best.map(({ info: { layer, height, width }, head, score, focus, mass }, i) => (
            <Tile
              key={`${layer} ${head}`}
              id={`best ${layer} ${head}`}
              layers={[layer]}
              head={head}
              label={`${layer} · ${head}`}
              caption={`head ${head}`}
              title={`${layer}, head ${head}: score ${score.toFixed(2)}, focus ${focus.toFixed(2)}, mean attention ${figure(mass)}`}
              height={height}
              width={width}
              spark={false}
              current={false}
              focusable={i === 0}
              data={{ "data-best": `${layer} ${head}` }}
              open={(event) =>
                event.altKey ? compare(view, { layer, head }) : scope.state.set({ level: "head", layer, head })
              }
            >
              <span class="as-label">{layer}</span>
              <span class="as-score">{score.toFixed(2)}</span>
            </Tile>
          ))}
        </div>
      </div>
    </div>
  );
}
