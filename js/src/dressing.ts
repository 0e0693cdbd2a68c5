/** The stylesheet, once in every document or shadow root that holds a scope. */

// Put here by build.mjs; empty where the page has the stylesheet already.
import STYLE from "attnscope:style";

let sheet: CSSStyleSheet | null = null;
const dressed = new WeakSet<Node>();

/** A host may hand over an element before it is anywhere: then the document is meant, and this is called again. */
export function dress(el: Element): void {
  const root = el.isConnected ? el.getRootNode() : el.ownerDocument;
  if (!STYLE || dressed.has(root) || !("adoptedStyleSheets" in root)) return;
  dressed.add(root);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  (root as Document | ShadowRoot).adoptedStyleSheets.push(sheet);
}
