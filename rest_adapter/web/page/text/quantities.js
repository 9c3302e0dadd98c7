/** Sizes, parts and long times as people read them. */

const BYTES_PER_UNIT = 1024;
const UNITS = ["bytes", "kB", "MB", "GB", "TB"];
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

/**
 * A size in memory: "812 bytes", "3.4 MB".
 * @param {number} bytes
 * @returns {string}
 */
export function formatBytes(bytes) {
  let size = bytes;
  let unit = 0;
  while (size >= BYTES_PER_UNIT && unit < UNITS.length - 1) {
    size /= BYTES_PER_UNIT;
    unit += 1;
  }
  return `${size.toFixed(unit > 0 && size < 10 ? 1 : 0)} ${UNITS[unit]}`;
}

/**
 * A part of a whole: "0%", "0.4%", "12%", "100%". Neither end is said of what only comes near it.
 * @param {number} part 0 to 1
 * @returns {string}
 */
export function formatPart(part) {
  const percent = part * 100;
  if (percent > 0 && percent < 1) return percent < 0.1 ? "under 0.1%" : `${percent.toFixed(1)}%`;
  return `${percent < 100 ? Math.min(99, Math.round(percent)) : 100}%`;
}

/**
 * How long something has been running: "42 s", "5 min", "3 h 12 min", "2 d 4 h".
 * @param {number} seconds
 * @returns {string}
 */
export function formatUptime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE_S) return `${whole} s`;
  if (whole < HOUR_S) return `${Math.floor(whole / MINUTE_S)} min`;
  if (whole < DAY_S) return `${Math.floor(whole / HOUR_S)} h ${Math.floor((whole % HOUR_S) / MINUTE_S)} min`;
  return `${Math.floor(whole / DAY_S)} d ${Math.floor((whole % DAY_S) / HOUR_S)} h`;
}

/**
 * How long ago a moment of the chart was: "now", "42 s ago", "2 min 5 s ago".
 * @param {number} ms
 * @returns {string}
 */
export function formatAgo(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds <= 0) return "now";
  if (seconds < MINUTE_S) return `${seconds} s ago`;
  const rest = seconds % MINUTE_S;
  return `${Math.floor(seconds / MINUTE_S)} min${rest ? ` ${rest} s` : ""} ago`;
}
