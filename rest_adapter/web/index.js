// What pages of one's own import to build views without a bundler: preact, its signals, and htm bound to both.

export {
  Component,
  computed,
  effect,
  h,
  html,
  render,
  signal,
  useEffect,
  useRef,
  useSignal,
} from "./page/ui.js";
