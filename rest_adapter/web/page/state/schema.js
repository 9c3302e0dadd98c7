/** The JSON Schema that answers obey. The server makes a constraint of it. */

import { computed } from "../../vendor/signals-core.js";
import { addNote } from "./notes.js";
import { isObject, readJson } from "./json_text.js";
import { grammar } from "./options.js";
import { refusalOf } from "./refusals.js";
import { kept } from "./storage.js";

/** The schema as it is edited; it may be none. */
export const schemaText = kept("slotline.schema", "", { accepts: (value) => typeof value === "string", isText: true });

/** Whether answers obey it. */
export const schemaOn = kept("slotline.schema-on", false, { accepts: (value) => typeof value === "boolean" });

/** What the server says against it. */
export const schemaRefusal = refusalOf(schemaText, /^(response_format|json_schema)\b/);

/** What is wrong with it, as a sentence; "" if nothing is known to be. Only what is on can be wrong. */
export const schemaProblem = computed(() => {
  if (!schemaOn.value) {
    return "";
  }
  if (grammar.value.trim()) {
    return "There is a grammar, too, and an answer can obey only one of them. Clear the grammar, or turn this off.";
  }
  return problemOf(schemaText.value) || schemaRefusal.message.value;
});

/**
 * The schema of the next answers.
 *
 * @returns {object|null} null if they are free
 */
export function answerSchema() {
  return schemaOn.peek() ? readJson(schemaText.peek()).value : null;
}

/**
 * Whether something can be asked with the schema as it is; if not, a note says why.
 *
 * @returns {boolean} true also if it is off
 */
export function checkSchema() {
  // What the server refused may have been refused for another reason: it is asked again.
  const problem = schemaOn.peek() && !grammar.peek().trim() ? problemOf(schemaText.peek()) : schemaProblem.peek();
  if (problem) {
    addNote("error", `JSON Schema: ${problem} Nothing was sent. The options have this field under “JSON Schema”.`);
  }
  return !problem;
}

function problemOf(text) {
  if (text.trim() === "") {
    return "There is no schema.";
  }
  const { value, problem } = readJson(text);
  return problem || (isObject(value) ? "" : "A schema is an object in braces.");
}
