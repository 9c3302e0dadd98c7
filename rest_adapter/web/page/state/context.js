/** How full the context is: the tokens of the conversation in view against what a slot can hold. */

import { computed } from "../../vendor/signals-core.js";
import { current } from "./conversations.js";
import { model } from "./server.js";

// From here on there is little room left.
const SHORT_PART = 0.8;

/**
 * What the conversation in view took when it was answered last, or null while that is not known.
 *
 * @type {import("../../vendor/signals-core.js").ReadonlySignal<
 *   null|{used: number, size: number, part: number, isShort: boolean}>}
 */
export const contextUse = computed(() => {
  const size = model.value?.nCtxSlot ?? null;
  const messages = current.value?.messages ?? [];
  // With the question that was refused, it is more than the answer before it took.
  if (messages.at(-1)?.isTooLong) return null;
  const used = usedTokens(messages.findLast(({ statistics }) => statistics)?.statistics);
  if (used === null || !size) return null;
  const part = Math.min(1, used / size);
  return { used, size, part, isShort: part >= SHORT_PART };
});

/**
 * Whether an answer was cut because the context had no more room.
 *
 * @param {import("./messages.js").Message} message
 * @param {number|null|undefined} size tokens of a slot
 * @returns {boolean}
 */
export function isCutByContext({ finish, statistics }, size) {
  const used = usedTokens(statistics);
  return finish === "length" && used !== null && Boolean(size) && used >= size - 1;
}

function usedTokens(statistics) {
  return statistics?.nPromptTokens ? statistics.nPromptTokens + statistics.nTokens : null;
}
