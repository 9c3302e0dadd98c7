// The text of GET /metrics, as the page reads it.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  histogram,
  histogramSince,
  labelsOfOne,
  metricValue,
  parseMetrics,
  quantile,
} from "../../rest_adapter/web/page/text/prometheus.js";

const WAITS = `# HELP wait_seconds Waiting.
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.1"} 2.0
wait_seconds_bucket{le="0.5"} 6.0
wait_seconds_bucket{le="1.0"} 8.0
wait_seconds_bucket{le="+Inf"} 8.0
wait_seconds_count 8.0
wait_seconds_sum 2.75
`;

test("a value is read by its name, whatever else is there", () => {
  const metrics = parseMetrics("# TYPE llamacpp:a counter\nllamacpp:a 12\n\nb_total 1.5e+09\nc -3 1700000000000\n");

  assert.equal(metricValue(metrics, "llamacpp:a"), 12);
  assert.equal(metricValue(metrics, "b_total"), 1.5e9);
  assert.equal(metricValue(metrics, "c"), -3);
  assert.equal(metricValue(metrics, "d"), null);
});

test("a value is chosen by its labels", () => {
  const metrics = parseMetrics('requests{outcome="stop",kind="a"} 1\nrequests{outcome="length",kind="a",} 2\n');

  assert.equal(metricValue(metrics, "requests", { outcome: "length" }), 2);
  assert.equal(metricValue(metrics, "requests", { outcome: "failed" }), null);
});

test("quotes, backslashes, braces and commas in a label are what they stand for", () => {
  const metrics = parseMetrics('model{name="C:\\\\new\\n\\"a\\", {b}",family="x"} 1\n');

  assert.deepEqual(labelsOfOne(metrics, "model"), { name: 'C:\\new\n"a", {b}', family: "x" });
});

test("the state of several is the one whose sample is 1", () => {
  const metrics = parseMetrics('state{state="loading"} 0.0\nstate{state="ready"} 1.0\n');

  assert.deepEqual(labelsOfOne(metrics, "state"), { state: "ready" });
  assert.equal(labelsOfOne(metrics, "no_state"), null);
});

test("lines that are none, and values that are no numbers, are no values", () => {
  const metrics = parseMetrics('a\n{b} 1\nc{x=1} 1\nd one\ne NaN\nf +Inf\n<p>Bad gateway</p>\ng 7');

  assert.deepEqual([..."abcdef"].map((name) => metricValue(metrics, name)), Array(6).fill(null));
  assert.equal(metricValue(metrics, "g"), 7);
});

test("a histogram has its buckets in order, and needs the last one", () => {
  const metrics = parseMetrics(WAITS.split("\n").reverse().join("\n"));

  assert.deepEqual(histogram(metrics, "wait_seconds"), {
    bounds: [0.1, 0.5, 1, Infinity],
    counts: [2, 6, 8, 8],
    sum: 2.75,
    count: 8,
  });
  assert.equal(histogram(parseMetrics('wait_seconds_bucket{le="0.1"} 2'), "wait_seconds"), null);
  assert.equal(histogram(metrics, "other_seconds"), null);
});

test("quantiles lie within their bucket", () => {
  const waits = histogram(parseMetrics(WAITS), "wait_seconds");

  assert.equal(quantile(waits, 0.25), 0.1);
  assert.ok(Math.abs(quantile(waits, 0.5) - 0.3) < 1e-9);
  assert.equal(quantile(waits, 1), 1);
});

test("what lies above all bounds counts as the last of them", () => {
  assert.equal(quantile({ bounds: [1, 2, Infinity], counts: [0, 0, 5] }, 0.5), 2);
});

test("nothing observed has no quantile", () => {
  assert.equal(quantile({ bounds: [1, Infinity], counts: [0, 0] }, 0.5), null);
});

test("an empty first bucket is passed over", () => {
  assert.equal(quantile({ bounds: [1, 2, Infinity], counts: [0, 4, 4] }, 0), 1);
});

test("a histogram since an earlier reading holds what came between them", () => {
  const later = histogram(parseMetrics(WAITS), "wait_seconds");
  const earlier = { bounds: later.bounds, counts: [2, 2, 2, 2], sum: 0.25, count: 2 };

  assert.deepEqual(histogramSince(later, earlier), { bounds: later.bounds, counts: [0, 4, 6, 6], sum: 2.5, count: 6 });
});

test("a histogram that was reset, or has other buckets, counts as a whole", () => {
  const later = { bounds: [1, Infinity], counts: [1, 1], sum: 0.5, count: 1 };

  assert.equal(histogramSince(later, { bounds: [1, Infinity], counts: [3, 4], sum: 5, count: 4 }), later);
  assert.equal(histogramSince(later, { bounds: [2, Infinity], counts: [0, 0], sum: 0, count: 0 }), later);
  assert.equal(histogramSince(later, null), later);
});
