/** What each trait may be: for states that come from an address or a pin, and so from anybody. */

import { DIVERGING } from "../maps/diverging.ts";
import { COLOUR_MAPS } from "../maps/luts.ts";
import type { Manifest } from "../wire/protocol.ts";
import { type Compare, TRAITS, type Traits } from "./state.ts";

/** The captures that a state may point into. */
export interface Checked {
  manifest: Manifest;
  other?: Manifest | null;
}

type Check = (value: unknown, manifest: Manifest, other: Manifest | null) => boolean;

const MOST_PINS = 50;
const LONGEST_NOTE = 500;

const one_of =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value);
const or_null =
  (check: Check): Check =>
  (value, ...rest) =>
    value === null || check(value, ...rest);
const finite = (value: unknown, lo: number, hi: number): value is number =>
  typeof value === "number" && value >= lo && value <= hi;
const between =
  (lo: number, hi: number): Check =>
  (value) =>
    finite(value, lo, hi);
const whole = (value: unknown, below: number): value is number =>
  Number.isInteger(value) && finite(value, 0, below - 1);
const numbers = (value: unknown, count: number, lo = 0, hi = 1): value is number[] =>
  Array.isArray(value) && value.length === count && value.every((each) => finite(each, lo, hi));
const rising = (value: unknown): boolean => {
  const list = value as number[];
  return list.every((each, i) => i === 0 || each > (list[i - 1] as number));
};
const flag = one_of(true, false);

const head: Check = (value, { layers }) => {
  const heads = Math.max(0, ...layers.map(({ single_heads }) => single_heads));
  if (!Array.isArray(value)) return value === "mean" || (heads > 0 && value === "max") || whole(value, heads);
  return value.length > 1 && value.every((each) => whole(each, heads)) && rising(value);
};
const layer: Check = (value, { layers }) => layers.some((info) => info.layer === value);
const step: Check = (value, { steps }) => steps.some((info) => info.step === value);
const token: Check = (value, { tokens }) => {
  const known = (position: unknown) => tokens.some((info) => info.token === position);
  return Array.isArray(value) ? value.every(known) && new Set(value).size === value.length : known(value);
};
const image: Check = (value, { images }) => whole(value, images.length);
const branch: Check = (value, { branches }) => branches.includes(value as string);
const direction = one_of("row", "column");

const OF_B: Record<keyof Compare, Check> = {
  step,
  head,
  layer,
  token: or_null(token),
  branch,
  image,
  direction,
  capture: (value, _, other) => value === 0 || (value === 1 && other !== null),
};

const is_object = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const compare: Check = (value, manifest, other) => {
  if (!is_object(value)) return false;
  const there = value.capture === 1 && other ? other : manifest;
  const names = Object.keys(value);
  return (
    names.length > 0 &&
    names.every((name) => Object.hasOwn(OF_B, name) && OF_B[name as keyof Compare](value[name], there, other))
  );
};

const pins: Check = (value) =>
  Array.isArray(value) &&
  value.length <= MOST_PINS &&
  value.every(
    (pin) => is_object(pin) && is_object(pin.state) && typeof pin.note === "string" && pin.note.length <= LONGEST_NOTE,
  );

const CHECKS: Record<keyof Traits, Check> = {
  level: one_of("unet", "block", "layer", "head"),
  kind: (value, { kinds }) => (kinds as unknown[]).includes(value),
  layer: or_null(layer),
  head,
  step,
  token: or_null(token),
  hues: flag,
  uv: or_null((value) => numbers(value, 2)),
  region: or_null((value) => numbers(value, 4) && rising([value[0], value[2]]) && rising([value[1], value[3]])),
  direction,
  image,
  branch,
  compare: or_null(compare),
  compare_as: one_of("side", "swipe", "difference", "blink"),
  scale: one_of("auto", "own", "shared", "run", "fixed"),
  limits: or_null((value) => numbers(value, 2, -1e30, 1e30) && rising(value)),
  clip: (value) => numbers(value, 2, 0, 100) && rising(value),
  transform: one_of("linear", "sqrt", "log", "rank", "uniform"),
  drop: (value) =>
    Array.isArray(value) && new Set(value).size === value.length && value.every(one_of("bos", "eos", "pad") as never),
  renormalise: flag,
  cmap: one_of(...COLOUR_MAPS),
  diverging: one_of(...DIVERGING),
  overlay: between(0, 1),
  blend: one_of("colour", "mask", "contour"),
  smooth: flag,
  sort: one_of("index", "entropy", "mass", "similarity"),
  order: one_of("prompt", "value"),
  fps: between(1, 30),
  loop: one_of("loop", "once", "bounce"),
  span: or_null(
    (value, manifest, other) =>
      Array.isArray(value) &&
      value.length === 2 &&
      value.every((each) => step(each, manifest, other)) &&
      value[0] <= value[1],
  ),
  show_preview: flag,
  pins,
  theme: one_of("auto", "light", "dark"),
};

/** What of a state can be; everything else is left out. */
export function checked(state: unknown, { manifest, other = manifest.other }: Checked): Partial<Traits> {
  if (!is_object(state)) return {};
  const good = TRAITS.filter((name) => Object.hasOwn(state, name) && CHECKS[name](state[name], manifest, other));
  const out: Partial<Traits> = Object.fromEntries(good.map((name) => [name, state[name]]));
  if (out.pins) out.pins = out.pins.map(({ state, note }) => ({ state: checked(state, { manifest, other }), note }));
  return out;
}
