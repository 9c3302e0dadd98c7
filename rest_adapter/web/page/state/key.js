/** The API key, and the question for it. */

import { signal } from "../../vendor/signals-core.js";
import { addNote } from "./notes.js";
import { flushSettings, kept } from "./storage.js";

/** The key that requests carry, "" for none. */
export const apiKey = kept("slotline.key", "", { accepts: isUsable, isText: true, isShared: true });

/** Whether the dialog should be open. */
export const keyWanted = signal(false);

/** Whether the server did not accept the key that was there when the question came up. */
export const keyRejected = signal(false);

/** Whether the user did not want to give a key; until there is one, only what he starts himself asks again. */
export const keyRefused = signal(false);

let question = null;

/**
 * Ask for a key. There is one question at a time, whose answer all callers get.
 *
 * @returns {Promise<string|null>} the new key, or null if there is none
 */
export function requestKey() {
  if (!question) {
    question = {};
    question.answered = new Promise((resolve) => (question.resolve = resolve));
    keyRejected.value = apiKey.peek() !== "";
    keyWanted.value = true;
  }
  return question.answered;
}

/**
 * Answer the question. A key that no request can carry leaves it open, with a note.
 *
 * @param {string|null} text the key, "" to forget the one that is kept, null for no answer
 */
export function answerKey(text) {
  const key = text === null ? null : text.trim();
  if (key !== null && !isUsable(key)) {
    addNote("error", "An API key can hold only letters, digits and signs of ASCII.");
    return;
  }
  if (key !== null) {
    apiKey.value = key;
    flushSettings();
  }
  keyRefused.value = !key;
  keyWanted.value = false;
  const { resolve } = question ?? {};
  question = null;
  resolve?.(key || null);
}

function isUsable(value) {
  return typeof value === "string" && /^[\x20-\x7e]*$/.test(value);
}
