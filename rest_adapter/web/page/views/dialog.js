/** Modal dialogs: they keep the focus inside and give it back at the end. */

import { html, useId, useLayoutEffect, useRef } from "../ui.js";

const MOST_LETTERS = 200;

/**
 * A modal dialog that is open as long as it is mounted.
 * @param {{title: string, onClose: () => void, children: unknown}} props `onClose` also when Escape closes it
 * @returns {object} a virtual node
 */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element.showModal();
    return () => {
      element.close();
      // The browser does this only for dialogs that stay in the document.
      before?.focus();
    };
  }, []);
  const onClick = (event) => {
    if (event.target === dialog.current && isOutside(event, dialog.current)) onClose();
  };
  return html`
    <dialog class="plain" ref=${dialog} aria-labelledby=${id} onCancel=${onClose} onClick=${onClick}>
      <h2 id=${id}>${title}</h2>
      ${children}
    </dialog>
  `;
}

/**
 * A question that is answered with yes or no.
 * @param {{title: string, text: string, yes: string, isDangerous?: boolean, onYes: () => void,
 *   onClose: () => void}} props `onClose` after either answer
 * @returns {object} a virtual node
 */
export function ConfirmDialog({ title, text, yes, isDangerous = false, onYes, onClose }) {
  const answer = () => {
    onClose();
    onYes();
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <p class="soft">${text}</p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="button" class=${`button ${isDangerous ? "danger" : "primary"}`} onClick=${answer}>${yes}</button>
      </div>
    <//>
  `;
}

/**
 * A question that is answered with a line of text.
 * @param {{title: string, label: string, value: string, yes: string, onYes: (text: string) => void,
 *   onClose: () => void}} props `onClose` after either answer; an empty text is no answer
 * @returns {object} a virtual node
 */
export function TextDialog({ title, label, value, yes, onYes, onClose }) {
  const field = useRef(null);
  useLayoutEffect(() => {
    field.current.focus();
    field.current.select();
  }, []);
  const answer = (event) => {
    event.preventDefault();
    const text = field.current.value.trim();
    onClose();
    if (text) onYes(text);
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form onSubmit=${answer}>
        <input
          class="field"
          ref=${field}
          aria-label=${label}
          defaultValue=${value}
          maxlength=${MOST_LETTERS}
          autocomplete="off"
        />
        <div class="dialog-buttons">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button type="submit" class="button primary">${yes}</button>
        </div>
      </form>
    <//>
  `;
}

function isOutside({ clientX, clientY, detail }, dialog) {
  // A key that presses a button makes a click without a place.
  if (detail === 0) return false;
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}
