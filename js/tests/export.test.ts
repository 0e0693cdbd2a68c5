/** What leaves as text: tables that no spreadsheet runs, vectors that every reader can parse. */

import { describe, expect, it } from "vitest";
import { comment, csv, field } from "../src/export/csv.ts";
import { clean } from "../src/export/sheet.ts";
import { escaped, svg } from "../src/export/svg.ts";

describe("a table", () => {
  it("quotes its texts and gives numbers of 32 bits back", () => {
    expect(field('say "cat", twice')).toBe('"say ""cat"", twice"');
    for (const value of [0, 0.1, 1 / 3, 1e-9, 0.07583639].map(Math.fround)) {
      expect(Math.fround(Number(field(value)))).toBe(value);
    }
    expect(field(Number.NaN)).toBe("NaN");
    expect(field(-0.5)).toBe("-0.5");
  });

  it.each(["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "  =1", "＝1"])("never holds a formula: %j", (text) => {
    expect(field(text)).toMatch(/^"'/);
  });

  it("begins with one line that says what it is, in which there is no formula either", () => {
    const rows = csv('token ‘,=cmd()’;\n"@x" 1, -2', [["a"], [1]]).split("\r\n");
    expect(rows).toEqual(["# token ‘,'=cmd()’; ″@x″ 1, '-2", '"a"', "1", ""]);
    expect(comment("plain; not renormalised, 16×16.")).toBe("# plain; not renormalised, 16×16.");
  });
});

describe("a text", () => {
  it("is one line of what XML can hold", () => {
    expect(clean(" a\n b\u0000c\u001b[31m \ud800 \u{1f408} \uffff")).toBe(
      "a b\ufffdc\ufffd[31m \ufffd \u{1f408} \ufffd",
    );
    expect(escaped(`<a href="x" b='y'>&amp;`)).toBe("&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
  });

  it("is text in the vectors too", () => {
    const text = { text: "</text><script>x</script>", x: 1, y: 2, size: 11, anchor: "start" as const };
    const out = svg({ width: 3, height: 5, title: "</title><script/>", marks: [text] });
    expect(out).not.toContain("<script");
    expect(out).toContain("&lt;/text&gt;&lt;script&gt;x");
  });
});
