/** What elements are made with: build.mjs puts it where it is used. */

export { Fragment, h } from "preact";
