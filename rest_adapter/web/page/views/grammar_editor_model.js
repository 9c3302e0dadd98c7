/** What the grammar editor knows: plain functions without a page. */

import { SchemaConverter } from "../../json-schema-to-grammar.mjs";
import { readJson } from "../state/json_text.js";

/**
 * A grammar that takes what a JSON Schema describes.
 * @param {string} text the schema
 * @param {string} order names of properties, separated by commas
 * @returns {string}
 * @throws {Error} with a message for readers
 */
export function grammarOf(text, order) {
  if (text.trim() === "") throw new Error("There is no JSON Schema to convert.");
  const names = order.split(",").map((name) => name.trim());
  const ranks = Object.fromEntries(names.filter(Boolean).map((name, rank) => [name, rank]));
  const converter = new SchemaConverter(ranks);
  converter.visit(parsed(text), "");
  return converter.formatGrammar();
}

/**
 * What is wrong with a grammar, as a sentence for its editor: where, and why.
 * @param {string} message the server's, which also names the field
 * @returns {string}
 */
export function problemOf(message) {
  const place = /line \d+, column \d+: .*/s.exec(message)?.[0] ?? message;
  return place.charAt(0).toUpperCase() + place.slice(1);
}

function parsed(text) {
  const { value, problem } = readJson(text);
  if (problem) throw new Error(problem);
  return value;
}
