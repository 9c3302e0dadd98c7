/** The options that the next request is sent with. */

import { computed } from "../../vendor/signals-core.js";
import { isObject } from "./json_text.js";
import { ESCAPED, OPTIONS, accepts, allowedValues, optionOf, unescapeLine } from "./option_table.js";
import { serverDefaults } from "./server.js";
import { kept } from "./storage.js";

// The chat route has defaults of its own for these, which /props does not tell.
const ALWAYS_SENT = ["temperature", "top_p"];
// What means "as the server does by itself"; the API has no value for that.
const NEVER_SENT_AS = { timeout_s: 0, slot_id: -1 };

const changes = kept("slotline.options", {}, { accepts: isObject });

/**
 * The value of every option by its name.
 *
 * @type {import("../../vendor/signals-core.js").ReadonlySignal<Record<string, any>>}
 */
export const options = computed(() => {
  const values = {};
  for (const option of OPTIONS) {
    const value = changes.value[option.name];
    // Stored by whatever version of the page: only what is allowed now counts.
    values[option.name] = value !== undefined && accepts(option, value) ? value : option.default;
  }
  return values;
});

/** The names of the options that differ from the page's defaults. */
export const changedOptions = computed(() =>
  OPTIONS.filter((option) => !isSame(options.value[option.name], option.default)).map(({ name }) => name),
);

/** The GBNF grammar that answers must obey, "" for none. */
export const grammar = kept("slotline.grammar", "", { accepts: isText, isText: true });

/**
 * Set an option.
 *
 * @param {string} name
 * @param {*} value
 * @throws {RangeError} there is no such option, or the value is not allowed; then nothing changes
 */
export function setOption(name, value) {
  setOptions({ [name]: value });
}

/**
 * Set several options at once, or none of them if one is not allowed.
 *
 * @param {Record<string, any>} values
 * @throws {RangeError}
 */
export function setOptions(values) {
  const next = { ...changes.peek() };
  for (const [name, value] of Object.entries(values)) {
    const option = optionOf(name);
    if (!accepts(option, value)) {
      throw new RangeError(`${name}: ${JSON.stringify(value)} is not ${allowedValues(option)}.`);
    }
    if (isSame(value, option.default)) {
      delete next[name];
    } else {
      next[name] = value;
    }
  }
  changes.value = next;
}

/** Set all options, and the grammar, to the page's defaults. */
export function resetOptions() {
  changes.value = {};
  grammar.value = "";
}

/**
 * The fields of a request's body: what differs from what the server does by itself.
 *
 * @param {{isChat?: boolean}} [settings] whether it is for a chat, which knows more options
 * @returns {Record<string, any>}
 */
export function requestFields({ isChat = false } = {}) {
  const fields = {};
  for (const option of OPTIONS.filter(({ isForChats }) => isChat || !isForChats)) {
    const { name } = option;
    const value = options.peek()[name];
    if (value === NEVER_SENT_AS[name]) {
      continue;
    }
    if (ALWAYS_SENT.includes(name) || !isServerDefault(option, value)) {
      fields[name] = asField(name, value);
    }
  }
  if (grammar.peek().trim()) {
    fields.grammar = grammar.peek();
  }
  return fields;
}

/**
 * Whether two values of an option are the same.
 *
 * @param {*} one
 * @param {*} other
 * @returns {boolean}
 */
export function isSame(one, other) {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function isServerDefault(option, value) {
  const told = serverDefaults.peek()?.[option.name];
  if (told === undefined) {
    return isSame(value, option.serverDefault);
  }
  // The server tells numbers as 32-bit floats, 0.8 as 0.800000011920929.
  return option.kind === "number" ? Math.fround(value) === Math.fround(told) : isSame(asField(option.name, value), told);
}

function asField(name, value) {
  if (ESCAPED.includes(name)) {
    return value.map(unescapeLine).filter((text) => text !== "");
  }
  return name === "penalty_prompt" ? value.join("\n") : value;
}

function isText(value) {
  return typeof value === "string";
}
