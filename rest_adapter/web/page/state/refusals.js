/** What the server refused of a request, to be shown at the field that it comes from. */

import { computed, signal } from "../../vendor/signals-core.js";
import { sentence } from "./words.js";

/**
 * A place for the server's word about what a text of the page was sent as. It is forgotten when the text changes.
 *
 * @param {{value: string, peek(): string}} text a signal
 * @param {RegExp} field what the names of its fields begin with
 */
export function refusalOf(text, field) {
  const last = signal({ text: "", message: "" });
  return {
    /** What is wrong, as a sentence; "" if nothing is known to be. */
    message: computed(() => (last.value.text === text.value ? last.value.message : "")),

    /**
     * Take a failed request.
     *
     * @param {import("../api.js").ApiError} error
     * @param {string} sent the text that it was sent with
     */
    take(error, sent) {
      if (field.test(error.field ?? "")) {
        last.value = { text: sent, message: sentence(error.message) };
      }
    },
  };
}
