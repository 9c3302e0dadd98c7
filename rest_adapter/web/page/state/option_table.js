/**
 * The sampling options of the API, as the page offers them: their facts, which the API declares, with the page's own
 * defaults and words.
 *
 * `default` is what the page begins with, `serverDefault` what the server does by itself. `min` and `max` say what can
 * be set, `slider` the useful part of a wide range.
 *
 * Values by kind: number and integer a number; boolean true or false; choice one of `choices`; lines an array of texts;
 * samplers an array of sampler names; bias an array of pairs of a token (id or text) and a number, or false for a ban.
 *
 * @typedef {object} Option
 * @property {string} name name in the API
 * @property {string} label
 * @property {string} group
 * @property {"number"|"integer"|"boolean"|"choice"|"lines"|"samplers"|"bias"} kind
 * @property {*} default
 * @property {*} serverDefault
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {[number, number]} [slider]
 * @property {{value: *, label: string}[]} [choices]
 * @property {boolean} [isForChats] whether completions do not know it
 * @property {string} hint
 */

import { FACTS } from "./option_facts.js";

// The grammar has an editor of its own; the others are not the page's to choose.
const NOT_IN_THE_PANEL = ["grammar", "truncate", "parse_special"];

// By the kind in the API: the kind of the field, and what an absent list is like.
const LISTS = { texts: "lines", penalty_prompt: "lines", biases: "bias" };

// Chosen for a chat: an end in sight, and words that are a little less daring. A time limit of 0 and a prompt cache
// that is on are what the page shows for fields that it does not send.
const OWN = {
  n_predict: { default: 1024 },
  temperature: { default: 0.7 },
  timeout_s: { default: 0, min: 0 },
  cache_prompt: { default: true },
};

/** The options whose lines may hold \n for a line break: texts that the model may write. */
export const ESCAPED = ["stop", "dry_sequence_breakers"];

// What a letter behind a backslash means there.
const ESCAPES = { n: "\n", t: "\t", r: "\r", "\\": "\\" };

// What the page's fields add to the words.
const MORE = {
  stop: "One per line, \\n for a line break.",
  dry_sequence_breakers: "One per line, \\n for a line break.",
  penalty_prompt: "Empty leaves the usual.",
  timeout_s: "0 sets no limit.",
};

const AS_THE_MODEL_DOES = { value: null, label: "As the model does" };

// What only chats know: it is no option of sampling.
const FOR_CHATS = [
  {
    name: "enable_thinking",
    label: "Think first",
    kind: "choice",
    default: null,
    choices: [AS_THE_MODEL_DOES, { value: true, label: "Yes" }, { value: false, label: "No" }],
    hint: "Whether the model thinks before it answers a chat, if its chat template has a switch for that.",
  },
  {
    name: "reasoning_effort",
    label: "Effort",
    kind: "choice",
    default: null,
    choices: [AS_THE_MODEL_DOES, ...["low", "medium", "high"].map((value) => ({ value, label: value }))],
    hint: "How hard it thinks, if its chat template knows these words.",
  },
  {
    name: "reasoning_budget_tokens",
    label: "Most thinking",
    kind: "integer",
    default: -1,
    min: -1,
    max: 2147483647,
    step: 1,
    slider: [-1, 4096],
    hint: "Tokens of thinking after which the answer begins. -1 sets no limit.",
  },
].map((option) => ({ ...option, group: "Thinking", serverDefault: option.default, isForChats: true }));

/** @type {readonly Option[]} */
export const OPTIONS = Object.freeze([
  ...FACTS.filter(({ name }) => !NOT_IN_THE_PANEL.includes(name)).map(asOption),
  ...FOR_CHATS,
]);

/** The samplers, each at its usual place. */
export const SAMPLERS = OPTIONS.find(({ kind }) => kind === "samplers").choices.map(({ value }) => value);

const BY_NAME = new Map(OPTIONS.map((option) => [option.name, option]));

/**
 * The option of a name.
 *
 * @param {string} name
 * @returns {Option}
 * @throws {RangeError} there is none
 */
export function optionOf(name) {
  const option = BY_NAME.get(name);
  if (!option) {
    throw new RangeError(`${name} is not an option; options are ${[...BY_NAME.keys()].join(", ")}.`);
  }
  return option;
}

/**
 * What is allowed as an option's value, in words.
 *
 * @param {Option} option
 * @returns {string}
 */
export function allowedValues(option) {
  switch (option.kind) {
    case "number":
      return `a number from ${option.min} to ${option.max}`;
    case "integer":
      return `a whole number from ${option.min} to ${option.max}`;
    case "boolean":
      return "true or false";
    case "choice":
      return `one of ${option.choices.map(({ value }) => JSON.stringify(value)).join(", ")}`;
    case "lines":
      return "an array of texts";
    case "samplers":
      return `an array of some of ${SAMPLERS.join(", ")}`;
    default:
      return "an array of pairs: a token, as a text or an id, and a number or false";
  }
}

/**
 * Whether a value is allowed for an option.
 *
 * @param {Option} option
 * @param {unknown} value
 * @returns {boolean}
 */
export function accepts(option, value) {
  switch (option.kind) {
    case "number":
      return isBetween(value, option);
    case "integer":
      return Number.isInteger(value) && isBetween(value, option);
    case "boolean":
      return typeof value === "boolean";
    case "choice":
      return option.choices.some((choice) => choice.value === value);
    case "lines":
      return Array.isArray(value) && value.every((text) => typeof text === "string");
    case "samplers":
      return Array.isArray(value) && value.length <= 64 && value.every((name) => SAMPLERS.includes(name));
    default:
      return Array.isArray(value) && value.every(isBias);
  }
}

/**
 * The text of a line: \n stands for a line break, which no line can hold.
 *
 * @param {string} line
 * @returns {string}
 */
export function unescapeLine(line) {
  return line.replace(/\\([ntr\\])/g, (_, letter) => ESCAPES[letter]);
}

/** The line of a text. */
function escapeLine(text) {
  const letters = Object.keys(ESCAPES);
  return text.replace(/[\n\t\r\\]/g, (meant) => `\\${letters.find((letter) => ESCAPES[letter] === meant)}`);
}

function isBetween(value, { min, max }) {
  return Number.isFinite(value) && value >= min && value <= max;
}

function isBias(pair) {
  if (!Array.isArray(pair) || pair.length !== 2) {
    return false;
  }
  const [token, bias] = pair;
  const isToken = typeof token === "string" ? token !== "" : Number.isInteger(token) && token >= 0;
  // The server computes with 32-bit floats.
  return isToken && (bias === false || (Number.isFinite(bias) && Number.isFinite(Math.fround(bias))));
}

function asOption(facts) {
  const { name, kind, hint, unset, ...more } = facts;
  const own = OWN[name] ?? {};
  const nothing = kind in LISTS ? [] : unset;
  const told = facts.default ?? nothing ?? own.default;
  const serverDefault = ESCAPED.includes(name) ? told.map(escapeLine) : told;
  return {
    name,
    ...more,
    kind: LISTS[kind] ?? (kind === "integer" && facts.choices ? "choice" : kind),
    default: serverDefault,
    serverDefault,
    ...own,
    ...(more.slider && { slider: [own.min ?? more.slider[0], more.slider[1]] }),
    hint: MORE[name] ? `${hint} ${MORE[name]}` : hint,
  };
}
