/** What the view of tool calls knows: plain functions without a page. */

import { isObject, readJson } from "../state/json_text.js";

/**
 * JSON as people read it; another text as it is.
 * @param {string} text
 * @returns {string}
 */
export function shownJson(text) {
  const { value } = readJson(text);
  return isObject(value) || Array.isArray(value) ? JSON.stringify(value, null, 2) : text;
}
