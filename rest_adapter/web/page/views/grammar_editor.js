/** The grammar that answers must follow: written by hand, or taken from an example. */

import { html, useEffect, useState } from "../ui.js";
import { postJson } from "../api.js";
import { grammar } from "../state/options.js";
import { EXAMPLES } from "./grammar_editor_examples.js";
import { problemOf } from "./grammar_editor_model.js";

/**
 * Edits the grammar of the options.
 * @returns {object} a virtual node
 */
export function GrammarEditor() {
  const [problem, check] = useGrammarCheck();
  const put = (text) => {
    grammar.value = text;
    check();
  };
  return html`
    <div class="grammar">
      <label for="grammar">Grammar</label>
      <p class="hint" id="grammar-hint">Answers keep to these rules (GBNF). Empty: no rules.</p>
      <textarea
        id="grammar"
        class="field mono"
        rows="8"
        spellcheck=${false}
        autocapitalize="off"
        value=${grammar.value}
        aria-invalid=${problem ? "true" : undefined}
        aria-describedby=${problem ? "grammar-problem grammar-hint" : "grammar-hint"}
        onInput=${(event) => (grammar.value = event.currentTarget.value)}
        onChange=${check}
      ></textarea>
      ${problem && html`<p class="wrong" id="grammar-problem" role="alert">${problem}</p>`}
      <div class="examples" role="group" aria-label="Examples">
        <span class="soft">Examples:</span>
        ${EXAMPLES.map(
          (example) =>
            html`<button type="button" class="button small" key=${example.name} onClick=${() => put(example.grammar)}>
              ${example.name}
            </button>`,
        )}
        <button type="button" class="button small" disabled=${grammar.value === ""} onClick=${() => put("")}>
          Clear
        </button>
      </div>
    </div>
  `;
}

/**
 * Asks the server what it thinks of the grammar, when the reader has finished with it.
 * @returns {[string, () => void]} what is wrong with it ("" if nothing is known to be), and the question
 */
function useGrammarCheck() {
  const [refused, setRefused] = useState({ text: "", message: "" });
  const check = async () => {
    const text = grammar.peek();
    if (text.trim() === "") return;
    try {
      await postJson("/completion", { prompt: "", n_predict: 0, grammar: text });
    } catch (error) {
      // Other errors are not the grammar's, and the answers' own notes tell them.
      if (error.field === "grammar") setRefused({ text, message: problemOf(error.message) });
    }
  };
  // One that was kept from earlier may be why answers fail.
  useEffect(() => {
    check();
  }, []);
  return [refused.text === grammar.value ? refused.message : "", check];
}
