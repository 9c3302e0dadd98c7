/** The Prometheus text format of GET /metrics, as far as the page needs it. */

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*$/;
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/y;
const ESCAPES = { "\\\\": "\\", "\\n": "\n", '\\"': '"' };
const NOT_FINITE = { "+Inf": Infinity, Inf: Infinity, "-Inf": -Infinity, NaN: NaN };

/**
 * @typedef {{labels: Object<string, string>, value: number}} Sample
 * @typedef {Map<string, Sample[]>} Metrics samples by the name of their metric
 * @typedef {{bounds: number[], counts: number[], sum: number, count: number}} Histogram `counts[i]` observations were
 *   at most `bounds[i]`; the last bound is Infinity
 */

/**
 * Read an exposition. Lines that are none are left out: a metric that the page does not know must not blind it.
 *
 * @param {string} text
 * @returns {Metrics}
 */
export function parseMetrics(text) {
  const metrics = new Map();
  for (const line of text.split("\n")) {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    const labels = match && parseLabels(match[2] ?? "");
    const value = match && parseValue(match[3]);
    if (labels === null || value === null) continue;
    if (!metrics.has(match[1])) metrics.set(match[1], []);
    metrics.get(match[1]).push({ labels, value });
  }
  return metrics;
}

/**
 * The value of a metric, or null if there is no such finite value.
 *
 * @param {Metrics} metrics
 * @param {string} name
 * @param {Object<string, string>} labels the sample must have these; by default the first sample counts
 * @returns {number | null}
 */
export function metricValue(metrics, name, labels = {}) {
  const value = metrics.get(name)?.find((sample) => hasLabels(sample, labels))?.value;
  return Number.isFinite(value) ? value : null;
}

/**
 * The labels of the sample of a metric that is 1: how states and texts are told; null without one.
 *
 * @param {Metrics} metrics
 * @param {string} name
 * @returns {Object<string, string> | null}
 */
export function labelsOfOne(metrics, name) {
  return metrics.get(name)?.find((sample) => sample.value === 1)?.labels ?? null;
}

/**
 * A histogram without labels, or null if there is none.
 *
 * @param {Metrics} metrics
 * @param {string} name without `_bucket`, `_sum`, `_count`
 * @returns {Histogram | null}
 */
export function histogram(metrics, name) {
  const buckets = (metrics.get(`${name}_bucket`) ?? [])
    .map(({ labels, value }) => ({ bound: parseValue(labels.le ?? ""), count: value }))
    .filter(({ bound, count }) => bound !== null && Number.isFinite(count))
    .sort((one, other) => one.bound - other.bound);
  if (buckets.length === 0 || buckets.at(-1).bound !== Infinity) return null;
  return {
    bounds: buckets.map(({ bound }) => bound),
    counts: buckets.map(({ count }) => count),
    sum: metricValue(metrics, `${name}_sum`) ?? 0,
    count: metricValue(metrics, `${name}_count`) ?? buckets.at(-1).count,
  };
}

/**
 * What a histogram got since an earlier reading of it; everything if the earlier one is of other buckets.
 *
 * @param {Histogram} later
 * @param {Histogram | null} earlier
 * @returns {Histogram}
 */
export function histogramSince(later, earlier) {
  const isSameKind = earlier !== null && earlier.bounds.join() === later.bounds.join();
  if (!isSameKind || earlier.count > later.count) return later;
  return {
    bounds: later.bounds,
    counts: later.counts.map((count, index) => Math.max(0, count - earlier.counts[index])),
    sum: later.sum - earlier.sum,
    count: later.count - earlier.count,
  };
}

/**
 * A quantile of a histogram, linear within a bucket as Prometheus' `histogram_quantile` has it; null if it is empty.
 * What lies above the last finite bound is taken as that bound.
 *
 * @param {Histogram} observed
 * @param {number} part 0 to 1
 * @returns {number | null}
 */
export function quantile(observed, part) {
  const { bounds, counts } = observed;
  const total = counts.at(-1);
  if (!(total > 0)) return null;
  const rank = part * total;
  const index = counts.findIndex((count) => count >= rank && count > 0);
  const below = index === 0 ? { bound: 0, count: 0 } : { bound: bounds[index - 1], count: counts[index - 1] };
  if (bounds[index] === Infinity) return below.bound;
  const inBucket = counts[index] - below.count;
  return below.bound + ((bounds[index] - below.bound) * (rank - below.count)) / inBucket;
}

function hasLabels(sample, labels) {
  return Object.entries(labels).every(([name, value]) => sample.labels[name] === value);
}

function parseLabels(text) {
  const labels = {};
  LABEL.lastIndex = 0;
  let end = 0;
  while (end < text.trimEnd().length) {
    const match = LABEL.exec(text);
    if (match === null) return null;
    labels[match[1]] = match[2].replace(/\\[\\n"]/g, (escape) => ESCAPES[escape]);
    end = LABEL.lastIndex;
  }
  return labels;
}

function parseValue(text) {
  if (Object.hasOwn(NOT_FINITE, text)) return NOT_FINITE[text];
  const value = text === "" ? NaN : Number(text);
  return Number.isNaN(value) ? null : value;
}
