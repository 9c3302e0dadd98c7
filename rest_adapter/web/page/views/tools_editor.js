/** The tools that the model may call. */

import { TOOL_CHOICES, toolChoice, toolsOn, toolsProblem, toolsText } from "../state/tools.js";
import { html } from "../ui.js";
import { CodeField, Examples, SwitchField } from "./code_field.js";
import { TOOL_EXAMPLES } from "./tools_editor_examples.js";

const HINT = "A list of functions in the form of the OpenAI API: name, description, and a JSON Schema of the parameters.";
const ON = "Chats may call the tools below. You type what they give.";
const OFF = "Chats know no tools; the list below is kept.";

/**
 * Edits the tools of the options.
 * @returns {object} a virtual node
 */
export function ToolsEditor() {
  const isOn = toolsOn.value && toolsText.value.trim() !== "";
  return html`
    <details class="group">
      <summary>Tools${isOn && html` <span class="count">on</span>`}</summary>
      <${SwitchField} id="tools-on" label="Use tools" hint=${toolsOn.value ? ON : OFF} isOn=${toolsOn} />
      <div class="grammar">
        <${ToolChoice} />
        <${CodeField} id="tools" label="Tools" hint=${HINT} rows=${10} text=${toolsText} problem=${toolsProblem.value} />
        <${Examples}
          label="Examples of tools"
          examples=${TOOL_EXAMPLES}
          text=${toolsText}
          put=${(text) => (toolsText.value = text)}
        />
      </div>
    </details>
  `;
}

function ToolChoice() {
  return html`
    <label for="tool-choice">The model calls them</label>
    <select
      id="tool-choice"
      class="field"
      onChange=${(event) => (toolChoice.value = TOOL_CHOICES[event.currentTarget.selectedIndex].value)}
    >
      ${TOOL_CHOICES.map(
        ({ value, label }) => html`<option key=${value} selected=${value === toolChoice.value}>${label}</option>`,
      )}
    </select>
  `;
}
