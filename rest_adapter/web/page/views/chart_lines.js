/** The geometry of charts: scales, lines, and which sample a moment belongs to. */

const LEAST_TOP = 10;
const TOPS = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10];
const MINUTE_MS = 60 * 1000;
const MARK_STEPS_MS = [15 * 1000, 20 * 1000, 30 * 1000, MINUTE_MS, 2 * MINUTE_MS];

/**
 * A round number at or above a value, so that a half of it is round, too: the top of an axis.
 *
 * @param {number} value
 * @returns {number} at least 10, so that a server at rest does not look busy
 */
export function niceTop(value) {
  if (!(value > LEAST_TOP)) return LEAST_TOP;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * TOPS.find((factor) => factor * power >= value * (1 - 1e-9));
}

/**
 * The marks below a chart, from now back to its beginning.
 *
 * @param {number} spanMs
 * @param {number} most there are no more steps from mark to mark than these
 * @returns {{agoMs: number, text: string}[]}
 */
export function timeMarks(spanMs, most) {
  const stepMs = MARK_STEPS_MS.find((ms) => spanMs / ms <= most) ?? spanMs;
  return Array.from({ length: Math.floor(spanMs / stepMs) + 1 }, (_, index) => {
    const agoMs = index * stepMs;
    return { agoMs, text: agoMs === 0 ? "now" : markText(agoMs) };
  });
}

/**
 * The sample that held at a moment, or else the nearest one; null without samples.
 *
 * @template {{fromMs: number, atMs: number}} Sample
 * @param {Sample[]} samples in the order of time
 * @param {number} ms
 * @returns {Sample | null}
 */
export function nearestSample(samples, ms) {
  let nearest = null;
  let leastMs = Infinity;
  for (const sample of samples) {
    const awayMs = ms <= sample.fromMs ? sample.fromMs - ms : Math.max(0, ms - sample.atMs);
    if (awayMs < leastMs) [nearest, leastMs] = [sample, awayMs];
  }
  return nearest;
}

/**
 * A line that keeps each sample's value for as long as it held, and the area below. It is broken where a value is
 * missing and where nobody looked between two samples.
 *
 * @param {({fromMs: number, atMs: number} & Object<string, number | null>)[]} samples in the order of time
 * @param {string} name field of the samples
 * @param {(ms: number) => number} xOf
 * @param {(value: number) => number} yOf
 * @param {number} bottom y of the area's lower edge
 * @returns {{line: string, area: string}} path data
 */
export function stepPath(samples, name, xOf, yOf, bottom) {
  const lines = runs(samples, name).map((run) =>
    run.map(({ fromMs, atMs, [name]: value }) => [xOf(fromMs), xOf(atMs), yOf(value)].map((one) => one.toFixed(1))),
  );
  const steps = (line) => line.map(([, right, y]) => `V${y}H${right}`).join("");
  const start = ([[left, , y]]) => `M${left} ${y}`;
  return {
    line: lines.map((line) => start(line) + steps(line)).join(""),
    area: lines.map((line) => `${start(line)}${steps(line)}V${bottom}H${line[0][0]}Z`).join(""),
  };
}

function markText(agoMs) {
  const isMinutes = agoMs % MINUTE_MS === 0;
  return `\u2212${isMinutes ? agoMs / MINUTE_MS : agoMs / 1000} ${isMinutes ? "min" : "s"}`;
}

/** Samples that follow each other without a gap. */
function runs(samples, name) {
  const all = [];
  let endMs = null;
  for (const sample of samples) {
    const isKnown = Number.isFinite(sample[name]);
    if (isKnown && sample.fromMs === endMs) all.at(-1).push(sample);
    else if (isKnown) all.push([sample]);
    endMs = isKnown ? sample.atMs : null;
  }
  return all;
}
