/**
 * Settings that outlive the page: signals that are kept in localStorage.
 *
 * Storage that is full, switched off or holds rubbish never breaks the page: then a setting lives as long as the page.
 */

import { signal } from "../../vendor/signals-core.js";
import { clock } from "./clock.js";
import { addNote } from "./notes.js";

const WRITE_DELAY_MS = 250;
const CANNOT_KEEP = "Settings cannot be kept: the browser's storage is full or switched off.";

/**
 * @typedef {object} Keeping
 * @property {(value: unknown) => boolean} accepts whether a stored value can be used
 * @property {boolean} [isText] store the text itself instead of JSON
 * @property {boolean} [isShared] follow what other tabs write
 */

/**
 * A signal that is kept under a key of localStorage.
 *
 * @template T
 * @param {string} key
 * @param {T} initial its value if nothing usable is stored
 * @param {Keeping} keeping
 * @returns {import("../../vendor/signals-core.js").Signal<T>}
 */
export function kept(key, initial, keeping) {
  const stored = decode(readItem(key), keeping);
  const value = signal(stored === undefined ? initial : stored);
  let known = value.peek();
  value.subscribe((current) => {
    if (current !== known) {
      known = current;
      writeSoon(key, () => (keeping.isText ? known : JSON.stringify(known)));
    }
  });
  if (keeping.isShared) {
    globalThis.addEventListener?.("storage", (event) => {
      const theirs = event.key === key ? decode(event.newValue, keeping) : undefined;
      if (theirs !== undefined) {
        known = theirs;
        value.value = theirs;
      }
    });
  }
  return value;
}

/** Write down at once what waits to be written. */
export function flushSettings() {
  for (const [key, encode] of waiting) {
    writeItem(key, encode());
  }
  waiting.clear();
}

/**
 * The id of this tab's conversation, which a reload opens again; "" if there is none.
 *
 * @returns {string}
 */
export function readOpenId() {
  try {
    return globalThis.sessionStorage?.getItem(OPEN_KEY) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} id */
export function writeOpenId(id) {
  try {
    globalThis.sessionStorage?.setItem(OPEN_KEY, id);
  } catch {
    // Then a reload begins with an empty conversation; nothing is lost.
  }
}

const OPEN_KEY = "slotline.open";
// Key to a function that gives the text: values change faster than they are worth writing.
const waiting = new Map();
globalThis.addEventListener?.("pagehide", flushSettings);

function writeSoon(key, encode) {
  if (waiting.size === 0) {
    clock.after(WRITE_DELAY_MS, flushSettings);
  }
  waiting.set(key, encode);
}

function decode(text, { accepts, isText = false }) {
  if (text === null || text === undefined) {
    return undefined;
  }
  try {
    const value = isText ? text : JSON.parse(text);
    return accepts(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function readItem(key) {
  try {
    return globalThis.localStorage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

function writeItem(key, text) {
  try {
    globalThis.localStorage.setItem(key, text);
  } catch (error) {
    addNote("info", CANNOT_KEEP, String(error));
  }
}
