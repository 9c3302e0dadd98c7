/** The question for the API key. */

import { answerKey, keyRejected, keyWanted } from "../state/key.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Dialog } from "./dialog.js";

const REJECTED = "The server did not accept that key. Try another one.";

/** @returns {object | null} the dialog while a key is wanted, a virtual node */
export function KeyDialog() {
  return keyWanted.value ? html`<${Dialog} title="API key" onClose=${() => answerKey(null)}><${Question} /><//>` : null;
}

function Question() {
  const [text, setText] = useState("");
  const save = (event) => {
    event.preventDefault();
    answerKey(text);
  };
  return html`
    <form class="key-form" onSubmit=${save}>
      <p class="soft" id="key-words">
        This server was started with API keys (<code>--api-key</code>): ask whoever runs it for one.
      </p>
      ${keyRejected.value && html`<p class="key-wrong" role="alert" id="key-wrong">${REJECTED}</p>`}
      <label for="key-field">API key</label>
      <${KeyField} text=${text} onText=${setText} />
      <p class="soft key-place">It is kept in this browser.</p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick=${() => answerKey(null)}>Cancel</button>
        <button type="submit" class="button primary" disabled=${text.trim() === ""}>Save</button>
      </div>
    </form>
  `;
}

function KeyField({ text, onText }) {
  const field = useRef(null);
  const [isShown, setShown] = useState(false);
  useEffect(() => field.current.focus(), []);
  return html`
    <div class="key-row">
      <input
        class="field"
        id="key-field"
        ref=${field}
        type=${isShown ? "text" : "password"}
        value=${text}
        autocomplete="off"
        autocapitalize="off"
        spellcheck=${false}
        aria-describedby=${keyRejected.value ? "key-wrong" : "key-words"}
        aria-invalid=${keyRejected.value ? "true" : undefined}
        onInput=${(event) => onText(event.currentTarget.value)}
      />
      <button type="button" class="button" aria-pressed=${String(isShown)} onClick=${() => setShown(!isShown)}>
        Show
      </button>
    </div>
  `;
}
