/** What a pane says in its corner: that the map is not the one asked for, was reduced, or has something odd about it. */

import { figure } from "../maps/numbers.ts";
import { head_name } from "../scope/selection.ts";
import type { Head } from "../wire/protocol.ts";
import type { Found } from "./finding.ts";
import type { MapValues } from "./values.ts";

export function badge({ field, coarse, head }: Found, wanted: Head, { extent }: MapValues): string {
  if (!field) return "not here yet";
  if (String(head) !== String(wanted)) return `${head_name(wanted)} is not here: mean of heads`;
  const { nan = 0, constant = null } = extent ?? {};
  const words = [
    coarse && "coarse",
    field.eight_bit && "8-bit",
    nan > 0 && `${nan} NaN`,
    constant !== null && `constant ${figure(constant)}`,
  ];
  return words.filter(Boolean).join(" · ");
}
