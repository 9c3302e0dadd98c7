/** The tools that the model may call. What they give is typed by the user. */

import { computed } from "../../vendor/signals-core.js";
import { isObject, readJson } from "./json_text.js";
import { addNote } from "./notes.js";
import { refusalOf } from "./refusals.js";
import { kept } from "./storage.js";

/** What the model does with tools, by the word of the API. */
export const TOOL_CHOICES = Object.freeze([
  { value: "auto", label: "If it wants to" },
  { value: "required", label: "Before it answers" },
  { value: "none", label: "Never" },
]);

/** The declarations as they are edited: JSON in the form of the API. */
export const toolsText = kept("slotline.tools", "", { accepts: (value) => typeof value === "string", isText: true });

/** Whether they are sent. */
export const toolsOn = kept("slotline.tools-on", false, { accepts: (value) => typeof value === "boolean" });

/** Whether the model calls them. */
export const toolChoice = kept("slotline.tool-choice", "auto", {
  accepts: (value) => TOOL_CHOICES.some((choice) => choice.value === value),
});

/** What the server says against them. */
export const toolsRefusal = refusalOf(toolsText, /^(tools|tool_choice)\b/);

/** What is wrong with them, as a sentence; "" if nothing is known to be. Only what is on can be wrong. */
export const toolsProblem = computed(() =>
  toolsOn.value ? problemOf(toolsText.value) || toolsRefusal.message.value : "",
);

/**
 * The fields of a chat's request. A model that had to call tools in every answer would never come to one, so it is free
 * once they have given something.
 *
 * @param {{role: string}[]} messages of the request
 * @returns {{tools?: object[], tool_choice?: string}} none if there are no tools
 */
export function toolFields(messages) {
  if (!toolsOn.peek()) {
    return {};
  }
  const choice = toolChoice.peek();
  const isFree = choice === "required" && messages.at(-1)?.role === "tool";
  return { tools: readJson(toolsText.peek()).value, tool_choice: isFree ? "auto" : choice };
}

/**
 * Whether something can be asked with the tools as they are; if not, a note says why.
 *
 * @returns {boolean} true also if they are off
 */
export function checkTools() {
  const problem = toolsOn.peek() ? problemOf(toolsText.peek()) : "";
  if (problem) {
    addNote("error", `Tools: ${problem} Nothing was sent. The options have this field under “Tools”.`);
  }
  return !problem;
}

function problemOf(text) {
  if (text.trim() === "") {
    return "There are no tools.";
  }
  const { value, problem } = readJson(text);
  if (problem) {
    return problem;
  }
  if (!Array.isArray(value) || value.length === 0) {
    return "Tools are a list in brackets, with one entry at least.";
  }
  const wrong = value.findIndex((tool) => !isObject(tool?.function) || typeof tool.function.name !== "string");
  return wrong < 0 ? "" : `Tool ${wrong + 1} has no function with a name.`;
}
