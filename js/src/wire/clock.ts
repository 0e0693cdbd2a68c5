/** What the transport needs of time; tests bring their own. */
export interface Clock {
  now(): number;
  /** Coalesces: runs once, at the next frame. */
  frame(run: () => void): void;
  after(ms: number, run: () => void): () => void;
}

const NO_FRAME_MS = 100;

export const browser_clock: Clock = {
  now: () => performance.now(),
  // A tab that is hidden, or is before its next frame, has no frames, but its data should still arrive.
  frame: (run) => {
    const timer = setTimeout(() => {
      cancelAnimationFrame(frame);
      run();
    }, NO_FRAME_MS);
    const frame = requestAnimationFrame(() => {
      clearTimeout(timer);
      run();
    });
  },
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
