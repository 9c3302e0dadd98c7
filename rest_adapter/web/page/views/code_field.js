/** A field of several lines for JSON or a grammar: what is wrong with it, texts to begin with, and its switch. */

import { html } from "../ui.js";

/**
 * @param {{id: string, label: string, hint: string, rows: number, text: {value: string}, problem: string,
 *   placeholder?: string, onLeave?: () => void}} props `text` is a signal; `onLeave` is called when the reader has
 *   finished with the field
 * @returns {object} virtual nodes
 */
export function CodeField({ id, label, hint, rows, text, problem, placeholder, onLeave }) {
  return html`
    <label for=${id}>${label}</label>
    <p class="hint" id=${`${id}-hint`}>${hint}</p>
    <textarea
      id=${id}
      class="field mono"
      rows=${rows}
      spellcheck=${false}
      autocapitalize="off"
      placeholder=${placeholder}
      value=${text.value}
      aria-invalid=${problem ? "true" : undefined}
      aria-describedby=${problem ? `${id}-problem ${id}-hint` : `${id}-hint`}
      onInput=${(event) => (text.value = event.currentTarget.value)}
      onChange=${onLeave}
    ></textarea>
    ${problem && html`<p class="wrong" id=${`${id}-problem`} role="alert">${problem}</p>`}
  `;
}

/**
 * Texts to begin with, and the way back to none.
 * @param {{label: string, examples: {name: string, text: string}[], text: {value: string}, put: (text: string) => void}}
 *   props `text` is a signal; `put` sets it
 * @returns {object} a virtual node
 */
export function Examples({ label, examples, text, put }) {
  return html`
    <div class="examples" role="group" aria-label=${label}>
      <span class="soft">Examples:</span>
      ${examples.map(
        (example) =>
          html`<button type="button" class="button small" key=${example.name} onClick=${() => put(example.text)}>
            ${example.name}
          </button>`,
      )}
      <button type="button" class="button small" disabled=${text.value === ""} onClick=${() => put("")}>Clear</button>
    </div>
  `;
}

/**
 * A switch with its label and what it does.
 * @param {{id: string, label: string, hint: string, isOn: {value: boolean}, onChange?: () => void}} props `isOn` is a
 *   signal
 * @returns {object} a virtual node
 */
export function SwitchField({ id, label, hint, isOn, onChange }) {
  const set = (event) => {
    isOn.value = event.currentTarget.checked;
    onChange?.();
  };
  return html`
    <div class="option">
      <div class="option-head">
        <label for=${id}>${label}</label>
        <input
          type="checkbox"
          role="switch"
          id=${id}
          checked=${isOn.value}
          aria-describedby=${`${id}-hint`}
          onChange=${set}
        />
      </div>
      <p class="hint" id=${`${id}-hint`}>${hint}</p>
    </div>
  `;
}
