/** The page: header, panes, words, steps, legend. What follows the pointer is the painter's. */

import { Component, type ComponentChildren } from "preact";
import type { View } from "../view.tsx";
import type { Level } from "../wire/protocol.ts";
import { Bars } from "./Bars.tsx";
import { BlockView } from "./Block.tsx";
import { CompareBar } from "./CompareBar.tsx";
import { useView, ViewContext } from "./context.ts";
import { ErrorCard } from "./ErrorCard.tsx";
import { Header } from "./Header.tsx";
import { Heads } from "./Heads.tsx";
import { Keys } from "./Keys.tsx";
import { Controls, Sentence } from "./Legend.tsx";
import { Overview } from "./Overview.tsx";
import { Panes } from "./Panes.tsx";
import { Pins } from "./Pins.tsx";
import { Scrubber } from "./Scrubber.tsx";
import { Words } from "./Words.tsx";

export function App({ view }: { view: View }) {
  return (
    <ViewContext.Provider value={view}>
      <Guard>
        <Page />
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
          {level === "unet" ? <Overview /> : level === "block" ? <BlockView /> : <Heads strip={level === "head"} />}
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
          <Busy />
        </div>
      </div>
      <Pins />
      <p class="as-said" aria-live="polite">
        {view.said.value}
      </p>
    </>
  );
}

/** Nothing to show yet: what is waited for, under a UNet through which a light goes. */
function Waiting() {
  const { title, note, live } = useView().scope.manifest;
  return (
    <div class={live ? "as-wait as-live" : "as-wait"} role="status">
      <div aria-hidden="true">
        {[34, 26, 19, 13, 19, 26, 34].map((size, i) => (
          <i key={i} style={{ "--as-size": `${size}px`, "--as-turn": i }} />
        ))}
      </div>
      <p>{title}</p>
      <pre>{note}</pre>
    </div>
  );
}

/** Answers of the kernel that were errors, for what is on screen. */
function Failures() {
  const view = useView();
  const { scope, news } = view;
  news.value;
  const failed = scope.visible(scope.at.value).flatMap(({ id }) => {
    const failure = scope.transport.failures.get(id);
    return failure ? [{ id, ...failure }] : [];
  });
  return (
    <>
      {failed.map(({ id, text, trace }) => (
        <ErrorCard
          key={id}
          text={text}
          trace={trace}
          retry={() => {
            view.hold_focus();
            scope.transport.retry(id);
          }}
        />
      ))}
    </>
  );
}

function Broken() {
  const view = useView();
  const error = view.broken.value;
  if (!error) return null;
  const dismiss = () => {
    view.hold_focus();
    view.broken.value = null;
  };
  return <ErrorCard text={error.message} trace={error.stack} dismiss={dismiss} />;
}

function Busy() {
  const { scope, news } = useView();
  news.value;
  scope.at.value; // what is asked for changes without any news, where the kernel is silent
  if (!scope.transport.busy) return null;
  return <p class="as-busy">waiting for the kernel, showing what is here</p>;
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
