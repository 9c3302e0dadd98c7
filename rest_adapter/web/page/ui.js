// What components are made with: the one place that knows Preact, so that everything has one copy of it.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export { Component, Fragment, createRef, h, render } from "../vendor/preact.js";
export {
  useCallback,
  useEffect,
  useErrorBoundary,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "../vendor/preact-hooks.js";
// Importing this also lets components follow the signals that they read.
export { useComputed, useSignal, useSignalEffect } from "../vendor/signals.js";
export { batch, computed, effect, signal, untracked } from "../vendor/signals-core.js";

/**
 * Makes elements of a template: html`<${Name} property=${value}>text<//>`.
 *
 * @type {(strings: TemplateStringsArray, ...values: unknown[]) => import("../vendor/preact.js").VNode}
 */
export const html = htm.bind(h);
