/** The JSON Schema that answers obey. The server compiles it; a grammar can be made of it here, to be changed. */

import { postJson } from "../api.js";
import { grammar } from "../state/options.js";
import { answerSchema, schemaOn, schemaProblem, schemaRefusal, schemaText } from "../state/schema.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { CodeField, Examples, SwitchField } from "./code_field.js";
import { grammarOf } from "./grammar_editor_model.js";
import { SCHEMA_EXAMPLES } from "./schema_editor_examples.js";

const HINT = "Describes the JSON that you want.";
const ON = "Every answer is JSON of the schema below. The server sees to it.";
const OFF = "Answers are free; the schema below is kept.";

/**
 * Edits the schema of the options.
 * @returns {object} a virtual node
 */
export function SchemaEditor() {
  const [unconverted, setUnconverted] = useState({ text: "", message: "" });
  // One that was kept from earlier may be why answers fail.
  useEffect(() => void check(), []);
  const problem = schemaProblem.value || (unconverted.text === schemaText.value ? unconverted.message : "");
  const put = (text) => {
    schemaText.value = text;
    void check();
  };
  const isOn = schemaOn.value && schemaText.value.trim() !== "";
  return html`
    <details class="group">
      <summary>JSON Schema${isOn && html` <span class="count">on</span>`}</summary>
      <${SwitchField}
        id="schema-on"
        label="Answers obey the schema"
        hint=${schemaOn.value ? ON : OFF}
        isOn=${schemaOn}
        onChange=${check}
      />
      <div class="grammar">
        <${CodeField}
          id="schema"
          label="Schema"
          hint=${HINT}
          rows=${8}
          text=${schemaText}
          problem=${problem}
          placeholder='{"type": "object", "properties": {"name": {"type": "string"}}}'
          onLeave=${check}
        />
        <${Examples} label="Examples of schemas" examples=${SCHEMA_EXAMPLES} text=${schemaText} put=${put} />
        <${Converter} tell=${(message) => setUnconverted({ text: schemaText.value, message })} />
      </div>
    </details>
  `;
}

function Converter({ tell }) {
  const order = useRef(null);
  const convert = () => {
    try {
      grammar.value = grammarOf(schemaText.value, order.current.value);
      schemaOn.value = false;
      tell("");
    } catch (error) {
      tell(error.message);
    }
  };
  return html`
    <label for="property-order">Property order</label>
    <input
      id="property-order"
      class="field"
      ref=${order}
      autocomplete="off"
      placeholder="name, age, city"
      aria-describedby="order-hint"
    />
    <p class="hint" id="order-hint">
      For a grammar that is made of the schema: names of properties with commas between them, which come first, in this
      order.
    </p>
    <button type="button" class="button small" onClick=${convert}>Convert to grammar</button>
  `;
}

/** Asks the server what it thinks of the schema, when the reader has finished with it. */
async function check() {
  const text = schemaText.peek();
  const schema = answerSchema();
  if (!schema || schemaProblem.peek()) return;
  try {
    await postJson("/completion", { prompt: "", n_predict: 0, json_schema: schema });
  } catch (error) {
    // Other errors are not the schema's, and the answers' own notes tell them.
    schemaRefusal.take(error, text);
  }
}
