/** The page: header, panes, words, steps, legend. What follows the pointer is the painter's. */

import { Component, type ComponentChildren } from "preact";
import type { View } from "../view.tsx";
import type { Level } from "../wire/protocol.ts";
import { Bars } from "./Bars.tsx";
import { Best } from "./Best.tsx";
import { BlockView } from "./Block.tsx";
import { CompareBar } from "./CompareBar.tsx";
import { useView, ViewContext } from "./context.ts";
import { ErrorCard } from "./ErrorCard.tsx";
import { Header } from "./Header.tsx";
import { Heads } from "./Heads.tsx";
import { Help } from "./Help.tsx";
import { Keys } from "./Keys.tsx";
import { Controls, Sentence } from "./Legend.tsx";
import { Overview } from "./Overview.tsx";
import { Panes } from "./Panes.tsx";
import { Pins } from "./Pins.tsx";
import { PinTable } from "./PinTable.tsx";
import { Scrubber } from "./Scrubber.tsx";
import { Broken, Busy, Failures, Note, Waiting } from "./States.tsx";
import { Words } from "./Words.tsx";

export function App({ view }: { view: View }) {
  return (
    <ViewContext.Provider value={view}>
      <Guard>
        <Page />
        <Help />
      </Guard>
    </ViewContext.Provider>
  );
}

const SITES: Record<Level, string> = { unet: "overview", block: "block", layer: "heads", head: "heads" };

function Page() {
  const view = useView();
  const { level, kind } = view.scope.at.value;
  if (!view.scope.manifest.steps.length) return <Waiting />;
  return (
    <>
      <Header />
      <CompareBar />
      <Broken />
      <div class="as-main">
        <section class="as-sites" aria-label={SITES[level]}>
          <Failures />
          {level === "unet" && (
            <>
              <Overview />
              <Best />
            </>
          )}
          {level === "block" ? <BlockView /> : level !== "unet" && <Heads strip={level === "head"} />}
        </section>
        <section class="as-look" aria-label="picture and map">
          <Panes />
          <Controls />
        </section>
        {kind === "self" ? <Keys /> : <Bars />}
      </div>
      <div class="as-footer">
        <Words />
        <Scrubber />
        <div class="as-last">
          <Sentence />
          <Note />
          <Busy />
        </div>
      </div>
      <Pins />
      <PinTable />
      <p class="as-said" aria-live="polite">
        {view.said.value}
      </p>
    </>
  );
}

/** An error in one of our own parts is shown in its place. */
class Guard extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state = { error: null as Error | null };

  override componentDidCatch(error: Error): void {
    this.setState({ error });
  }

  override render() {
    const { error } = this.state;
    if (error) return <ErrorCard text={error.message} trace={error.stack} />;
    return this.props.children;
  }
}
