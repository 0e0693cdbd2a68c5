/** The xarray expression behind what is on screen. Twin: Scope.code(); both are held to tests/code_cases.json. */

import type { Head, Level, Token } from "../wire/protocol.ts";

export interface CodeView {
  level: Level;
  kind: string;
  layer: string;
  head: Head;
  step: number;
  token: Token;
  image: number;
  images: number;
  branch: string;
  branches: number;
  /** Whether some of it was not seen: a sum over tokens must then not count it as 0. */
  gaps: boolean;
}

export function code(view: CodeView): string {
  const tokens = view.token === null ? [] : [view.token].flat();
  const one_head = view.level === "head" && view.head !== "mean";
  const where: string[] = [];
  if (view.images > 1) where.push(`image=${view.image}`);
  if (view.branches > 1) where.push(`branch=${JSON.stringify(view.branch)}`);
  where.push(`step=${view.step}`);
  if (one_head) where.push(`head=${view.head}`);
  if (tokens.length) where.push(`token=[${tokens.join(", ")}]`);

  const kind = view.kind === "cross" ? [] : [`kind=${JSON.stringify(view.kind)}`];
  const source =
    view.level === "unet"
      ? `cap.stack(${['how="nearest"', ...kind].join(", ")})`
      : `cap.layer(${[JSON.stringify(view.layer), ...kind].join(", ")})`;
  // After the heads: layers differ in heads, and each layer counts the same.
  const mean = (one_head ? "" : '.mean("head")') + (view.level === "unet" ? '.mean("layer")' : "");
  const sum = tokens.length ? `.sum("token"${view.gaps ? ", skipna=False" : ""})` : "";
  return `${source}.sel(${where.join(", ")})${mean}${sum}`;
}
