/** All that is sent with a question: whether it can be, and the way back to how it was at first. */

import { resetOptions } from "./options.js";
import { checkSchema, schemaOn } from "./schema.js";
import { checkTemplate } from "./template.js";
import { checkTools, toolsOn } from "./tools.js";

/**
 * Whether a question can be asked; if not, a note says why.
 *
 * @returns {boolean}
 */
export function canAsk() {
  return checkTemplate() && checkSchema() && checkTools();
}

/** Set all options to the page's defaults, and turn off what answers obey and call. Its texts are kept. */
export function resetAll() {
  resetOptions();
  schemaOn.value = false;
  toolsOn.value = false;
}
