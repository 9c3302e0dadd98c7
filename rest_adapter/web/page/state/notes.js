/**
 * Notes to the user: what went wrong, and what is good to know.
 *
 * @typedef {{id: number, kind: "error"|"info", text: string, detail: string}} Note
 */

import { signal } from "../../vendor/signals-core.js";

const MOST_NOTES = 5;
let lastId = 0;

/** The notes in view, oldest first. @type {import("../../vendor/signals-core.js").Signal<Note[]>} */
export const notes = signal([]);

/**
 * Show a note. One that is in view already is not repeated; where there are too many, the oldest goes.
 *
 * @param {"error"|"info"} kind
 * @param {string} text one or two sentences
 * @param {string} [detail] what helps whoever looks closer
 * @returns {number} the note's id
 */
export function addNote(kind, text, detail = "") {
  const same = notes.value.find((note) => note.kind === kind && note.text === text);
  if (same) {
    return same.id;
  }
  const note = { id: ++lastId, kind, text, detail };
  notes.value = [...notes.value, note].slice(-MOST_NOTES);
  return note.id;
}

/**
 * Take a note out of view; one that is not there any more is fine.
 *
 * @param {number} id
 */
export function dismissNote(id) {
  notes.value = notes.value.filter((note) => note.id !== id);
}
