/** Chatting through a prompt template of the user's own, instead of the one that the model brings along. */

import { computed } from "../../vendor/signals-core.js";
import { addNote } from "./notes.js";
import { kept } from "./storage.js";

/**
 * Texts with placeholders in two pairs of braces.
 *
 * @typedef {object} Template
 * @property {boolean} isOn whether the chat uses it
 * @property {string} text the prompt, around {{history}}
 * @property {string} history one message, around {{message}}
 * @property {string} user who writes the user's messages
 * @property {string} char who writes the answers
 */

/** @type {Readonly<Template>} */
export const DEFAULT_TEMPLATE = Object.freeze({
  isOn: false,
  text: "{{prompt}}\n\n{{history}}\n{{char}}:",
  history: "{{name}}: {{message}}",
  user: "User",
  char: "Llama",
});

const PLACEHOLDER = /\{\{\s*(\w+)\s*\}\}/g;

/** The template as it is edited: it may be one that cannot be used. */
export const template = kept("slotline.template", DEFAULT_TEMPLATE, { accepts: isTemplate });

/**
 * What is wrong with the template: a sentence for each field that cannot stay as it is.
 *
 * @type {import("../../vendor/signals-core.js").ReadonlySignal<Partial<Record<keyof Template, string>>>}
 */
export const templateProblems = computed(() => problemsOf(template.value));

/** @param {Partial<Template>} fields those to change */
export function setTemplate(fields) {
  template.value = { ...template.peek(), ...fields };
}

/** Set all texts of the template as they were at first; it stays on or off. */
export function resetTemplate() {
  template.value = { ...DEFAULT_TEMPLATE, isOn: template.peek().isOn };
}

/**
 * Whether something can be asked with the template as it is; if not, a note says why.
 *
 * @returns {boolean} true also if it is off
 */
export function checkTemplate() {
  const [problem] = template.peek().isOn ? Object.values(templateProblems.peek()) : [];
  if (problem) {
    addNote("error", `${problem} Nothing was sent. The options have this field under “Prompt template”.`);
  }
  return !problem;
}

/**
 * The prompt that asks for the next message; more of the last one if that is an answer with a text.
 *
 * {{prompt}} is the system prompt, {{user}} and {{char}} are the names, and {{history}} are the messages, one per line,
 * each by its own template with {{name}} and {{message}}. A placeholder may come from the text of another one. What was
 * said is taken as it is, and so are placeholders that mean nothing where they stand.
 *
 * @param {Template} template one without problems
 * @param {Pick<import("./messages.js").Conversation, "systemPrompt"|"messages">} conversation its texts are used
 * @returns {string}
 */
export function renderPrompt(template, { systemPrompt, messages }) {
  const written = { ...namesOf(template), prompt: systemPrompt };
  const said = messages.filter(({ content, images }) => content || images.length > 0);
  const goesOn = said.at(-1)?.role === "assistant";
  const turns = said.map((message, i) => renderTurn(template, message, written, goesOn && i === said.length - 1));
  // Going on needs the end of the answer to be the end of the prompt.
  const text = goesOn ? upTo(template.text, "history") : template.text;
  return expand(text, written, { history: turns.join("\n") });
}

/**
 * The texts that end an answer: the usual end of a text, and the beginning of another message.
 *
 * @param {Template} template
 * @returns {string[]}
 */
export function stopTexts(template) {
  const names = [template.char, template.user].map((name) => expand(name, namesOf(template), {}));
  return ["</s>", ...names.filter((name) => name.trim() !== "").map((name) => `${name}:`)];
}

/**
 * An answer without the blanks that it begins with, which belong to the template, and without line breaks at its end.
 *
 * @param {{content: string, tokens: import("./messages.js").TokenView[]}} answer
 * @param {boolean} isWhole whether nothing more comes; otherwise its end stays, because the rest has to fit
 * @returns {{content: string, tokens: import("./messages.js").TokenView[]}} the tokens still add up to the content
 */
export function trimAnswer({ content, tokens }, isWhole) {
  const start = content.length - content.trimStart().length;
  const end = isWhole ? endOfText(content) : content.length;
  if (start === 0 && end === content.length) {
    return { content, tokens };
  }
  return { content: content.slice(start, end), tokens: sliceTokens(tokens, start, end) };
}

function renderTurn(template, { role, content }, written, goesOn) {
  const text = goesOn ? upTo(template.history, "message") : template.history;
  const name = role === "user" ? "{{user}}" : "{{char}}";
  const message = goesOn ? content : content.slice(0, endOfText(content));
  return expand(text, { ...written, name }, { message: message.trimStart() });
}

/** Replaces placeholders: `written` texts may hold others, `finished` ones are taken as they are. */
function expand(text, written, finished) {
  return text.replace(PLACEHOLDER, (placeholder, name) => {
    if (Object.hasOwn(finished, name)) {
      return finished[name];
    }
    if (!Object.hasOwn(written, name)) {
      return placeholder;
    }
    // A text inside itself would never end.
    const { [name]: value, ...others } = written;
    return expand(value, others, finished);
  });
}

/** The text up to the end of the last placeholder with that name. */
function upTo(text, name) {
  const last = placeholders(text).findLast((found) => found[1] === name);
  return text.slice(0, last.index + last[0].length);
}

function placeholders(text) {
  return [...text.matchAll(PLACEHOLDER)];
}

function namesOf({ user, char }) {
  return { user, char };
}

/** Where the text ends without its last line breaks. */
function endOfText(text) {
  let end = text.length;
  while (text[end - 1] === "\n") {
    end--;
  }
  return end;
}

function sliceTokens(tokens, start, end) {
  let at = 0;
  return tokens.flatMap((token) => {
    const text = token.text.slice(Math.max(0, start - at), Math.max(0, end - at));
    at += token.text.length;
    return text === "" ? [] : [{ ...token, text }];
  });
}

function problemsOf({ text, history, user, char }) {
  const holds = (where, name) => placeholders(where).some((found) => found[1] === name);
  const problems = {};
  if (!holds(text, "history")) {
    problems.text = "The template needs {{history}}, which stands for what was said.";
  }
  if (!holds(history, "message")) {
    problems.history = "The history template needs {{message}}, which stands for what somebody said.";
  }
  if (user.trim() === "") {
    problems.user = "Your name must not be empty: an answer ends where it comes with a colon.";
  }
  if (char.trim() === "") {
    problems.char = "The bot's name must not be empty: an answer ends where it comes with a colon.";
  }
  return problems;
}

function isTemplate(value) {
  return (
    value !== null &&
    typeof value === "object" &&
    Object.entries(DEFAULT_TEMPLATE).every(([name, usual]) => typeof value[name] === typeof usual)
  );
}
