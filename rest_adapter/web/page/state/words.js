/** Errors in words. */

/**
 * What a note says about a failed request.
 *
 * @param {import("../api.js").ApiError} error
 * @returns {string}
 */
export function errorWords({ message, retryAfterS, isTooLong, nPromptTokens, nCtx }) {
  if (isTooLong && nPromptTokens && nCtx) {
    const size = nPromptTokens.toLocaleString("en");
    return `It has ${size} tokens, and the context holds ${nCtx.toLocaleString("en")}, those of the answer included.`;
  }
  // The name of a field stays as it is.
  const text = /^[a-z]+[ ,]/.test(message) ? message.charAt(0).toUpperCase() + message.slice(1) : message;
  const sentence = /[.!?]$/.test(text) ? text : `${text}.`;
  if (retryAfterS === null) {
    return sentence;
  }
  return `${sentence} Try again in ${retryAfterS} ${retryAfterS === 1 ? "second" : "seconds"}.`;
}

/**
 * What comes behind the name of a field, which the reader has not written.
 *
 * @param {string} message of the server
 * @returns {string}
 */
export function sentence(message) {
  const text = message.replace(/^[a-z_][\w.[\]]*: /, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
