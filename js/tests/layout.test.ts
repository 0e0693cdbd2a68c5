import { describe, expect, it } from "vitest";
import { lay_out, parse_label, runs } from "../src/scope/layout.ts";
import { chips, colour_slots, columns, is_chosen, toggle, token_of } from "../src/scope/words.ts";
import type { LayerInfo, MissingInfo } from "../src/wire/protocol.ts";
import { sd15, sdxl, synthesise, tiny } from "./synthetic.ts";

const shown = (layers: LayerInfo[], missing: MissingInfo[] = []) => {
  const small = layers.map((info) => ({ ...info, heads: 1 }));
  const { manifest } = synthesise({ layers: small, missing, steps: [0], preview: false, picture: false });
  const layout = lay_out(manifest);
  const names = (row: (typeof layout.rows)[number]) =>
    [row.down, row.mid, row.up].map((group) => group.map((site) => site.name).join(" "));
  return { layout, rows: layout.rows.map((row) => [row.label, ...names(row)]) };
};

describe("the U", () => {
  it("of Stable Diffusion 1.5 has six down, one mid, nine up", () => {
    const { layout, rows } = shown(sd15(16, 16));
    expect(layout.shape).toBe("u");
    expect(rows).toEqual([
      ["16²", "down.0.0 down.0.1", "", "up.3.0 up.3.1 up.3.2"],
      ["8²", "down.1.0 down.1.1", "", "up.2.0 up.2.1 up.2.2"],
      ["4²", "down.2.0 down.2.1", "", "up.1.0 up.1.1 up.1.2"],
      ["2²", "", "mid.0", ""],
    ]);
    expect(layout.order.map((site) => site.name)).toEqual(sd15(16, 16).map((info) => info.layer));
  });

  it("names grids that are not square, and closes below them", () => {
    expect(shown(sd15(40, 24)).rows.map(([label]) => label)).toEqual(["40×24", "20×12", "10×6", "5×3"]);
  });

  it("of SDXL joins stacked transformer blocks into one tile and keeps mid below", () => {
    const { layout, rows } = shown(sdxl().map((info) => ({ ...info, height: info.height / 8, width: info.width / 8 })));
    expect(rows).toEqual([
      ["4²", "down.1.0 down.1.1", "", "up.1.0 up.1.1 up.1.2"],
      ["2²", "down.2.0 down.2.1", "", "up.0.0 up.0.1 up.0.2"],
      ["2²", "", "mid.0", ""],
    ]);
    expect(layout.order[2]?.layers).toEqual(["down.2.0.0", "down.2.0.1", "down.2.0.2", "down.2.0.3"]);
  });

  it("of SDXL at its depth has eleven sites of seventy blocks, and five groups where there is no room for it", () => {
    const { layout } = shown(sdxl(10).map((info) => ({ ...info, height: info.height / 8, width: info.width / 8 })));
    expect(layout.order.map((site) => site.layers.length)).toEqual([2, 2, 10, 10, 10, 10, 10, 10, 2, 2, 2]);
    expect(runs(layout.order).map(({ label, sites }) => [label, sites.length])).toEqual([
      ["down 4²", 2],
      ["down 2²", 2],
      ["mid 2²", 1],
      ["up 2²", 3],
      ["up 4²", 3],
    ]);
  });

  it("of a bare small UNet has no mid", () => {
    expect(shown(tiny()).rows).toEqual([["8²", "down.0.0 down.0.1", "", "up.1.0 up.1.1 up.1.2"]]);
  });

  it("keeps a place for what was not captured, beside its siblings or where its block must be", () => {
    const all = sd15(16, 16);
    const gone = new Set(["down.0.0", "down.1.1", "mid.0"]);
    const reason = "not asked for";
    const missing = all
      .filter(({ layer }) => gone.has(layer) || layer.startsWith("down.2"))
      .map(({ layer, kind, module }) => ({ layer, kind, module, reason }));
    const names = new Set(missing.map(({ layer }) => layer));
    const { layout, rows } = shown(
      all.filter(({ layer }) => !names.has(layer)),
      missing,
    );
    expect(rows.map((row) => row.slice(0, 2))).toEqual([
      ["16²", "down.0.0 down.0.1"],
      ["8²", "down.1.0 down.1.1"],
      ["4²", "down.2.0 down.2.1"],
      ["4²", ""],
    ]);
    const lost = layout.order.find((site) => site.name === "down.1.1");
    expect([lost?.layers, lost?.reason]).toEqual([[], reason]);
  });

  it("is a ladder where places are not those of a UNet", () => {
    const layers = tiny().map((info, i) => ({
      ...info,
      place: "double",
      layer: `double.${i}`,
      block: null,
      attention: i,
    }));
    const { layout, rows } = shown(layers);
    expect(layout.shape).toBe("ladder");
    expect(rows[0]?.[2]?.split(" ").length).toBe(5);
  });

  it("reads labels", () => {
    expect(parse_label("up.1.0")).toEqual({ place: "up", block: 1, attention: 0 });
    expect(parse_label("down.1.0.3")).toEqual({ place: "down", block: 1, attention: 0 });
    expect(parse_label("mid.0")).toEqual({ place: "mid", block: null, attention: 0 });
  });
});

describe("words", () => {
  const { manifest } = synthesise({ layers: tiny(), steps: [0], preview: false, picture: false });
  const list = chips(manifest);

  it("merge pieces, keep repeated words apart and carry the padding as one", () => {
    expect(list.map((chip) => chip.text).join(" ")).toBe("⟨bos⟩ a red circle above a blue square ⟨eos⟩ ⟨pad×67⟩");
    expect(list.find((chip) => chip.text === "square")?.positions).toEqual([7, 8]);
    expect(new Set(list.map((chip) => chip.first)).size).toBe(list.length);
    expect(list.flatMap((chip) => chip.columns)).toEqual(manifest.tokens.map((_, i) => i));
  });

  it("are chosen, added and taken away", () => {
    const red = list[2];
    const square = list[7];
    if (!red || !square) throw new Error("no chips");
    expect(token_of(red)).toBe(2);
    expect(token_of(square)).toEqual([7, 8]);
    expect(toggle(null, square)).toEqual([7, 8]);
    expect(toggle(2, square)).toEqual([2, 7, 8]);
    expect(toggle([2, 7, 8], square)).toBe(2);
    expect(toggle(2, red)).toBeNull();
    expect(is_chosen([7], square)).toBe(false);
    expect([columns(manifest, []), columns(manifest, null), columns(manifest, 0)]).toEqual([[], [], [0]]);
  });

  it("have as many colours as there are, for the words that matter most", () => {
    const slots = colour_slots(manifest, list, 3);
    expect(slots.filter((slot) => slot >= 0).sort()).toEqual([0, 1, 2]);
    expect(slots[0]).toBe(-1);
  });
});
