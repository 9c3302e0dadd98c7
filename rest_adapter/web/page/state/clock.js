/**
 * Time, as the state layer sees it: one object, so that tests can put their own hands on it.
 */

/**
 * `now` gives milliseconds that never run backwards, `wallTime` those since 1970. `after` calls back once after so many
 * milliseconds, `onFrame` before the browser paints again; `cancel` takes what `after` gave.
 */
export const clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  after: (delayMs, callback) => setTimeout(callback, delayMs),
  cancel: (timer) => clearTimeout(timer),
  // A hidden page paints nothing, and would never call back.
  onFrame: (callback) =>
    globalThis.requestAnimationFrame && !globalThis.document?.hidden
      ? requestAnimationFrame(callback)
      : setTimeout(callback, 16),
};
