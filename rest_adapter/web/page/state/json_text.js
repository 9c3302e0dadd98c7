/** JSON that people write into fields. */

/**
 * What a text says.
 *
 * @param {string} text
 * @returns {{value?: any, problem: string}} `problem` is a sentence, "" if the text is JSON
 */
export function readJson(text) {
  try {
    return { value: JSON.parse(text), problem: "" };
  } catch (error) {
    return { problem: `This is not JSON: ${error.message}` };
  }
}

/**
 * @param {unknown} value
 * @returns {boolean} whether it is an object of JSON
 */
export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
