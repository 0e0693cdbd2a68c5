/** What the transport needs of time; tests bring their own. */
export interface Clock {
  now(): number;
  /** Coalesces: runs once, at the next frame. */
  frame(run: () => void): void;
  after(ms: number, run: () => void): () => void;
}

export const browser_clock: Clock = {
  now: () => performance.now(),
  // A hidden tab has no frames, but its data should still arrive.
  frame: (run) => (document.hidden ? setTimeout(run, 16) : requestAnimationFrame(run)),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
