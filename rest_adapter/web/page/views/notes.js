/** The notes to the user, at the edge of the page. */

import { dismissNote, notes } from "../state/notes.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Icon } from "./icons.js";

const MOST_VISIBLE = 4;
const INFO_MS = 6000;

/** @returns {object} the newest notes, a virtual node */
export function Notes() {
  const visible = notes.value.slice(-MOST_VISIBLE);
  return html`<div class="notes">${visible.map((note) => html`<${Note} key=${note.id} note=${note} />`)}</div>`;
}

function Note({ note }) {
  const [isHeld, setHeld] = useState(false);
  const lastFocus = useRef(null);
  const isError = note.kind === "error";
  useEffect(() => {
    if (isError || isHeld) return undefined;
    const timer = setTimeout(() => dismissNote(note.id), INFO_MS);
    return () => clearTimeout(timer);
  }, [note.id, isError, isHeld]);
  const enter = (event) => {
    if (!event.currentTarget.contains(event.relatedTarget)) lastFocus.current = event.relatedTarget;
    setHeld(true);
  };
  const dismiss = () => {
    // The button goes; the focus should not go with it.
    lastFocus.current?.focus();
    dismissNote(note.id);
  };
  return html`
    <div
      class=${`note ${note.kind}`}
      role=${isError ? "alert" : "status"}
      onPointerEnter=${() => setHeld(true)}
      onPointerLeave=${() => setHeld(false)}
      onFocusIn=${enter}
      onFocusOut=${() => setHeld(false)}
    >
      <div class="note-words">
        <p>${note.text}</p>
        ${note.detail && html`<details><summary>Details</summary><p class="note-detail">${note.detail}</p></details>`}
      </div>
      <button type="button" class="button quiet small round" aria-label="Dismiss" onClick=${dismiss}>
        <${Icon} name="close" />
      </button>
    </div>
  `;
}
