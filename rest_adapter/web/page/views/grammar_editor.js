/** The grammar that answers must follow: written by hand, or taken from an example. */

import { html, useEffect, useState } from "../ui.js";
import { postJson } from "../api.js";
import { grammar } from "../state/options.js";
import { CodeField, Examples } from "./code_field.js";
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
      <${CodeField}
        id="grammar"
        label="Grammar"
        hint="Answers keep to these rules (GBNF). Empty: no rules."
        rows=${8}
        text=${grammar}
        problem=${problem}
        onLeave=${check}
      />
      <${Examples} label="Examples" examples=${EXAMPLES} text=${grammar} put=${put} />
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
