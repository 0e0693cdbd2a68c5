/** The state of an exported page in its address: coordinates only, and never trusted. */

import type { Manifest, Model } from "../wire/protocol.ts";
import { checked } from "./checks.ts";
import { DEFAULTS, TRAITS, type Traits } from "./state.ts";

const PREFIX = "#s=";
/** Of what is written and of what is read: browsers and mail programs cut longer addresses. */
const LONGEST = 16_000;

type Some = Partial<Record<keyof Traits, unknown>>;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What differs from the page's own state; without pins where those make it too long, and empty where nothing differs. */
export function write_hash(now: Some, own: Some): string {
  const differs = TRAITS.filter((name) => !same(now[name], own[name]));
  const text = (names: readonly (keyof Traits)[]) =>
    names.length ? PREFIX + encodeURIComponent(JSON.stringify(Object.fromEntries(names.map((n) => [n, now[n]])))) : "";
  const all = text(differs);
  return all.length <= LONGEST ? all : text(differs.filter((name) => name !== "pins"));
}

export function read_hash(hash: string, manifest: Manifest): Partial<Traits> {
  if (!hash.startsWith(PREFIX) || hash.length > LONGEST) return {};
  try {
    return checked(JSON.parse(decodeURIComponent(hash.slice(PREFIX.length))), { manifest });
  } catch {
    return {}; // not JSON, or not even an address: somebody's text, not a state
  }
}

/** Opens the page in the state that its address tells, follows the address, and writes it where the state changes. */
export function keep_in_hash(model: Model, page: Window = window): void {
  const manifest = model.get("_manifest") as Manifest;
  const read = (): Some =>
    Object.fromEntries(TRAITS.map((name) => [name, model.get(name) ?? DEFAULTS[name as keyof Traits]]));
  const own = read();
  const apply = () => {
    const wanted: Some = { ...own, ...read_hash(page.location.hash, manifest) };
    const now = read();
    for (const name of TRAITS) if (!same(now[name], wanted[name])) model.set(name, wanted[name]);
  };
  apply();
  page.addEventListener("hashchange", apply);
  // Called a moment after the last change.
  model.save_changes = () => {
    const { pathname, search } = page.location;
    try {
      page.history.replaceState(null, "", write_hash(read(), own) || pathname + search);
    } catch {
      // A frame without an address of its own: the page works, its state is not kept.
    }
  };
}
