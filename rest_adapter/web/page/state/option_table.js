/**
 * The sampling options of the API, as the page offers them.
 *
 * `default` is what the page begins with; `serverDefault` is given where the server would do otherwise. The page's own
 * defaults are chosen for a chat: an end in sight (n_predict), and words that are a little less daring (temperature).
 * `min` and `max` say what can be set, `slider` the useful part of a wide range.
 *
 * Values by kind: number and integer a number; boolean true or false; choice one of `choices`; lines an array of texts;
 * samplers an array of sampler names; bias an array of pairs of a token (id or text) and a number, or false for a ban.
 *
 * @typedef {object} Option
 * @property {string} name name in the API
 * @property {string} label
 * @property {"Length"|"Randomness"|"Truncation"|"Repetition"|"Mirostat"|"Output"|"Advanced"} group
 * @property {"number"|"integer"|"boolean"|"choice"|"lines"|"samplers"|"bias"} kind
 * @property {*} default
 * @property {*} [serverDefault]
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {[number, number]} [slider]
 * @property {{value: *, label: string}[]} [choices]
 * @property {string} hint
 */

/** The samplers in their usual order. */
export const SAMPLERS = ["top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature"];

const LARGEST_INT = 2 ** 31 - 1;

/** @type {readonly Option[]} */
export const OPTIONS = Object.freeze([
  integer("n_predict", "Most tokens", "Length", 1024, [-1, LARGEST_INT], {
    hint: "The answer ends after so many tokens; -1 sets no limit.",
    serverDefault: -1,
    slider: [-1, 4096],
  }),
  lines("stop", "Stop texts", "Length", {
    hint: "The answer ends before any of these texts; one per line, \\n for a line break.",
  }),
  boolean("ignore_eos", "Ignore the end", "Length", false, { hint: "Goes on when the model wants to end its answer." }),
  number("timeout_s", "Time limit", "Length", 0, [0, 604800], 1, {
    hint: "Most seconds that an answer may take, waiting included; 0 sets no limit.",
    slider: [0, 600],
  }),

  number("temperature", "Temperature", "Randomness", 0.7, [0, 5], 0.01, {
    hint: "Higher is more surprising; 0 always takes the most likely token.",
    serverDefault: 0.8,
    slider: [0, 2],
  }),
  number("dynatemp_range", "Dynamic temperature range", "Randomness", 0, [0, 5], 0.01, {
    hint: "The temperature varies by so much up and down, by how sure the model is; 0 is off.",
    slider: [0, 2],
  }),
  number("dynatemp_exponent", "Dynamic temperature exponent", "Randomness", 1, [0, 10], 0.05, {
    hint: "How the model's doubt becomes temperature; only with a dynamic temperature range.",
    slider: [0, 4],
  }),
  integer("seed", "Seed", "Randomness", -1, [-1, 2 ** 32 - 1], {
    hint: "The same seed and options give the same answer again; -1 takes a new seed each time.",
  }),

  integer("top_k", "Top-k", "Truncation", 40, [0, LARGEST_INT], {
    hint: "Chooses among so many of the most likely tokens; 0 takes all.",
    slider: [0, 200],
  }),
  number("top_p", "Top-p", "Truncation", 0.95, [0, 1], 0.01, {
    hint: "Chooses among the most likely tokens that have this probability together; 1 is off.",
  }),
  number("min_p", "Min-p", "Truncation", 0.05, [0, 1], 0.01, {
    hint: "Leaves out tokens that are less likely than this part of the best one; 0 is off.",
  }),
  number("tfs_z", "Tail-free z", "Truncation", 1, [0, 1], 0.01, {
    hint: "Leaves out the long tail of unlikely tokens; 1 is off.",
  }),
  number("typical_p", "Typical p", "Truncation", 1, [0, 1], 0.01, {
    hint: "Prefers tokens that are about as surprising as the model expects; 1 is off.",
  }),
  integer("min_keep", "Tokens to keep", "Truncation", 0, [0, LARGEST_INT], {
    hint: "Every step that leaves out tokens keeps at least so many.",
    slider: [0, 10],
  }),
  {
    name: "samplers",
    label: "Samplers",
    group: "Truncation",
    kind: "samplers",
    default: SAMPLERS,
    choices: SAMPLERS.map((value) => ({ value, label: value })),
    hint: "The steps that choose a token, in their order; a step that is left out does nothing.",
  },

  number("repeat_penalty", "Repeat penalty", "Repetition", 1.1, [0.01, 10], 0.01, {
    hint: "Makes tokens that came lately less likely; 1 is off.",
    slider: [0.5, 2],
  }),
  integer("repeat_last_n", "Penalty window", "Repetition", 64, [-1, LARGEST_INT], {
    hint: "The penalties look back so many tokens; 0 is off, -1 is the whole context.",
    slider: [-1, 2048],
  }),
  number("frequency_penalty", "Frequency penalty", "Repetition", 0, [-10, 10], 0.01, {
    hint: "Makes a token less likely with each time it came; 0 is off.",
    slider: [-2, 2],
  }),
  number("presence_penalty", "Presence penalty", "Repetition", 0, [-10, 10], 0.01, {
    hint: "Makes a token less likely if it came at all; 0 is off.",
    slider: [-2, 2],
  }),
  boolean("penalize_nl", "Penalize line breaks", "Repetition", true, {
    hint: "The penalties count for line breaks, too.",
  }),
  lines("penalty_prompt", "Text for the penalties", "Repetition", {
    hint: "The penalties look at this text instead of the prompt; empty leaves the usual.",
  }),

  {
    name: "mirostat",
    label: "Mirostat",
    group: "Mirostat",
    kind: "choice",
    default: 0,
    choices: [
      { value: 0, label: "Off" },
      { value: 1, label: "Version 1" },
      { value: 2, label: "Version 2" },
    ],
    hint: "Steers how surprising the text is, instead of the truncation above.",
  },
  number("mirostat_tau", "Mirostat surprise", "Mirostat", 5, [0, 100], 0.1, {
    hint: "The surprise that Mirostat aims at; lower is more focused.",
    slider: [0, 10],
  }),
  number("mirostat_eta", "Mirostat rate", "Mirostat", 0.1, [0, 1], 0.01, {
    hint: "How fast Mirostat corrects itself.",
  }),

  integer("n_probs", "Show probabilities", "Output", 0, [0, 100], {
    hint: "Shows so many alternatives of each token; 0 shows none.",
    slider: [0, 10],
  }),

  {
    name: "logit_bias",
    label: "Token biases",
    group: "Advanced",
    kind: "bias",
    default: [],
    hint: "Makes tokens more or less likely, or bans them; a token is a text or an id.",
  },
  integer("n_keep", "Prompt tokens to keep", "Advanced", 0, [-1, LARGEST_INT], {
    hint: "When the context is full, so many tokens of its beginning stay; -1 keeps the whole prompt.",
    slider: [-1, 2048],
  }),
  boolean("cache_prompt", "Reuse the prompt cache", "Advanced", true, {
    hint: "Evaluates only what is new in the prompt, which is faster.",
  }),
  integer("slot_id", "Slot", "Advanced", -1, [-1, LARGEST_INT], {
    hint: "Uses this slot if it is free; -1 lets the server choose.",
    slider: [-1, 16],
  }),
]);

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

function number(name, label, group, initial, [min, max], step, more) {
  return { name, label, group, kind: "number", default: initial, min, max, step, ...more };
}

function integer(name, label, group, initial, [min, max], more) {
  return { name, label, group, kind: "integer", default: initial, min, max, step: 1, ...more };
}

function boolean(name, label, group, initial, more) {
  return { name, label, group, kind: "boolean", default: initial, ...more };
}

function lines(name, label, group, more) {
  return { name, label, group, kind: "lines", default: [], ...more };
}
