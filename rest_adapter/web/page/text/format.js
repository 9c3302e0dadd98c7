/** Numbers, times and names as people read them. */

const DAY_MS = 24 * 3600 * 1000;
const DAYS_OF_WEEK = 7;

/**
 * A number with separators between thousands.
 * @param {number} number
 * @returns {string}
 */
export function formatNumber(number) {
  return number.toLocaleString("en", { maximumFractionDigits: 0 });
}

/**
 * How many of something: "1 token", "1,234 tokens".
 * @param {number} number
 * @param {string} noun singular
 * @returns {string}
 */
export function formatCount(number, noun) {
  return `${formatNumber(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * A speed with as many digits as say something: "3.42", "41.8", "1,203".
 * @param {number} perSecond
 * @returns {string}
 */
export function formatRate(perSecond) {
  if (perSecond >= 100) return formatNumber(perSecond);
  return perSecond.toFixed(perSecond >= 10 ? 1 : 2);
}

/**
 * A duration: "85 ms", "1.24 s", "2 min 5 s".
 * @param {number} ms
 * @returns {string}
 */
export function formatMs(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}

/**
 * The heading of the list under which a time falls.
 * @param {number} timeMs since 1970
 * @param {number} nowMs since 1970
 * @returns {"Today" | "Yesterday" | "Last 7 days" | "Earlier"}
 */
export function dayLabel(timeMs, nowMs) {
  const today = new Date(nowMs).setHours(0, 0, 0, 0);
  if (timeMs >= today) return "Today";
  // Midday of the day before: days on which clocks change have 23 or 25 hours.
  const yesterday = new Date(today - DAY_MS / 2).setHours(0, 0, 0, 0);
  if (timeMs >= yesterday) return "Yesterday";
  return timeMs >= today - DAYS_OF_WEEK * DAY_MS ? "Last 7 days" : "Earlier";
}

/**
 * What the statistics of an answer say, one fact an item.
 * @param {{nTokens: number, nPromptTokens: number, nCachedTokens: number | null, tokensPerSecond: number | null,
 *   firstTokenMs: number | null}} statistics null stands for what is not known
 * @returns {string[]}
 */
export function statisticsWords({ nTokens, nPromptTokens, nCachedTokens, tokensPerSecond, firstTokenMs }) {
  const words = [formatCount(nTokens, "token")];
  if (tokensPerSecond > 0) words.push(`${formatRate(tokensPerSecond)} tokens/s`);
  if (firstTokenMs !== null && firstTokenMs !== undefined) words.push(`first token after ${formatMs(firstTokenMs)}`);
  if (nPromptTokens > 0) words.push(promptWords(nPromptTokens, nCachedTokens));
  return words;
}

function promptWords(nTokens, nCached) {
  if (nCached === null || nCached === undefined) return formatCount(nTokens, "prompt token");
  return `${formatNumber(nCached)} of ${formatCount(nTokens, "prompt token")} cached`;
}
