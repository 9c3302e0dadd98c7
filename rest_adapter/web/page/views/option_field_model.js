/** What the fields of the options know: plain functions without a page. */

import { accepts } from "../state/option_table.js";

/** @typedef {import("../state/option_table.js").Option} Option */

// A slider over more steps than that moves by thousands with every pixel.
const MOST_ON_A_SLIDER = 1000;

/**
 * Reads what somebody typed into a number field.
 * @param {Option} option
 * @param {string} text
 * @returns {number | null} null if the option does not allow it
 */
export function readNumber(option, text) {
  const number = text.trim() === "" ? NaN : Number(text);
  return accepts(option, number) ? number : null;
}

/**
 * The part of its range that an option's slider covers.
 * @param {Option} option
 * @returns {[number, number] | null} null if a slider is of no use
 */
export function sliderRange({ slider, min, max }) {
  return slider ?? (max - min <= MOST_ON_A_SLIDER ? [min, max] : null);
}

/**
 * A value as a person would read it.
 * @param {Option} option
 * @param {unknown} value
 * @returns {string}
 */
export function valueWords({ kind, choices }, value) {
  switch (kind) {
    case "boolean":
      return value ? "on" : "off";
    case "choice":
      return choices.find((choice) => choice.value === value)?.label ?? String(value);
    case "lines":
      return value.length === 0 ? "none" : value.map((line) => JSON.stringify(line)).join(", ");
    case "samplers":
      return value.length === 0 ? "none" : value.join(", ");
    case "bias":
      return value.length === 0 ? "none" : `${value.length} tokens`;
    default:
      return String(value);
  }
}

/**
 * The options whose label, name or hint contains every word of a query.
 * @param {readonly Option[]} options
 * @param {string} query
 * @returns {Option[]}
 */
export function findOptions(options, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return options.filter(({ label, name, hint }) => {
    const text = `${label} ${name} ${hint}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/**
 * The list with an item moved by some places, as far as it goes.
 * @template T
 * @param {T[]} list
 * @param {number} from
 * @param {number} to
 * @returns {T[]}
 */
export function moved(list, from, to) {
  const rest = list.toSpliced(from, 1);
  return rest.toSpliced(Math.min(Math.max(to, 0), rest.length), 0, list[from]);
}

/**
 * Reads a row of the bias list.
 * @param {string} token text of a token, or its id
 * @param {string} amount a number, or the word "never"
 * @returns {[string | number, number | false] | null} null if the row says nothing
 */
export function readBias(token, amount) {
  if (token === "" || amount.trim() === "") return null;
  const number = amount.trim().toLowerCase() === "never" ? false : Number(amount);
  if (number !== false && !Number.isFinite(number)) return null;
  return [/^\d{1,10}$/.test(token) ? Number(token) : token, number];
}
