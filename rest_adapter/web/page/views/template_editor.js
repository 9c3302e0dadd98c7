/** The user's own prompt template for the chat, in the place of the model's. */

import { resetTemplate, setTemplate, template, templateProblems } from "../state/template.js";
import { html } from "../ui.js";

const TEXT_HINT =
  "{{prompt}} is the system prompt, {{history}} is what was said, {{user}} and {{char}} are the names below. " +
  "It ends where the answer begins.";
const HISTORY_HINT = "How each message of the history is written: {{name}} says who, {{message}} says what.";
const USER_HINT = "Stands for {{user}}. An answer ends where this name comes with a colon.";
const CHAR_HINT = "Stands for {{char}}. An answer ends where this name comes with a colon.";

/**
 * Edits the prompt template of the options.
 * @returns {object} a virtual node
 */
export function TemplateEditor() {
  return html`
    <details class="group">
      <summary>Prompt template${template.value.isOn && html` <span class="count">on</span>`}</summary>
      <${Switch} />
      <div class="template">
        <${TemplateField} name="text" label="Template" hint=${TEXT_HINT} rows="6" />
        <${TemplateField} name="history" label="History template" hint=${HISTORY_HINT} rows="2" />
        <${TemplateField} name="user" label="Your name" hint=${USER_HINT} />
        <${TemplateField} name="char" label="Bot's name" hint=${CHAR_HINT} />
        <button type="button" class="button small" onClick=${resetTemplate}>Reset template</button>
      </div>
    </details>
  `;
}

function Switch() {
  const { isOn } = template.value;
  const hint = isOn ? "The chat is sent as the text that these fields make." : "The model's own chat template is used.";
  return html`
    <div class="option">
      <div class="option-head">
        <label for="template-on">Use my own template</label>
        <input
          type="checkbox"
          role="switch"
          id="template-on"
          checked=${isOn}
          aria-describedby="template-on-hint"
          onChange=${(event) => setTemplate({ isOn: event.currentTarget.checked })}
        />
      </div>
      <p class="hint" id="template-on-hint">${hint}</p>
    </div>
  `;
}

/** A field of several lines if it has rows, otherwise of one. */
function TemplateField({ name, label, hint, rows }) {
  const id = `template-${name}`;
  const problem = templateProblems.value[name];
  const shared = {
    id,
    value: template.value[name],
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: false,
    "aria-invalid": problem ? "true" : undefined,
    "aria-describedby": problem ? `${id}-problem ${id}-hint` : `${id}-hint`,
    onInput: (event) => setTemplate({ [name]: event.currentTarget.value }),
  };
  return html`
    <label for=${id}>${label}</label>
    <p class="hint" id=${`${id}-hint`}>${hint}</p>
    ${
      rows
        ? html`<textarea class="field mono" rows=${rows} ...${shared}></textarea>`
        : html`<input type="text" class="field" ...${shared} />`
    }
    ${problem && html`<p class="wrong" id=${`${id}-problem`}>${problem}</p>`}
  `;
}
