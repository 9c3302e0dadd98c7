// The geometry of charts.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  nearestSample,
  niceTop,
  stepPath,
  timeMarks,
} from "../../rest_adapter/web/page/views/chart_lines.js";

const same = (value) => value;
const sample = (fromMs, atMs, rate) => ({ fromMs, atMs, rate });

for (const [value, top] of [
  [0, 10],
  [9.9, 10],
  [10, 10],
  [10.1, 12],
  [41, 50],
  [99, 100],
  [100, 100],
  [101, 120],
  [12345, 16000],
  [NaN, 10],
]) {
  test(`an axis for ${value} ends at ${top}`, () => assert.equal(niceTop(value), top));
}

test("an axis never ends below its values", () => {
  for (let value = 0.5; value < 1e7; value *= 1.37) assert.ok(niceTop(value) >= value, `${value}`);
});

test("a line keeps each value for as long as it held", () => {
  const { line, area } = stepPath([sample(0, 10, 1), sample(10, 20, 3)], "rate", same, same, 50);

  assert.equal(line, "M0.0 1.0V1.0H10.0V3.0H20.0");
  assert.equal(area, "M0.0 1.0V1.0H10.0V3.0H20.0V50H0.0Z");
});

test("a line is broken where a value is missing and where nobody looked", () => {
  const samples = [sample(0, 10, 1), sample(10, 20, null), sample(20, 30, 2), sample(90, 100, 2)];

  const { line, area } = stepPath(samples, "rate", same, same, 50);

  assert.equal(line.match(/M/g).length, 3);
  assert.equal(area.match(/Z/g).length, 3);
});

test("a chart without samples has no line", () => {
  assert.deepEqual(stepPath([], "rate", same, same, 50), { line: "", area: "" });
});

test("a moment belongs to the sample that held, or else to the nearest", () => {
  const samples = [sample(0, 10, 1), sample(10, 20, 2), sample(90, 100, 3)];
  const at = (ms) => nearestSample(samples, ms).rate;

  assert.deepEqual([-5, 5, 15, 30, 80, 500].map(at), [1, 1, 2, 2, 3, 3]);
  assert.equal(nearestSample([], 5), null);
});

for (const [seconds, most, texts] of [
  [60, 5, ["now", "\u221215 s", "\u221230 s", "\u221245 s", "\u22121 min"]],
  [60, 3, ["now", "\u221220 s", "\u221240 s", "\u22121 min"]],
  [120, 5, ["now", "\u221230 s", "\u22121 min", "\u221290 s", "\u22122 min"]],
  [300, 5, ["now", "\u22121 min", "\u22122 min", "\u22123 min", "\u22124 min", "\u22125 min"]],
  [300, 3, ["now", "\u22122 min", "\u22124 min"]],
  [300, 1, ["now", "\u22125 min"]],
]) {
  test(`${seconds} seconds in at most ${most} steps have marks at round times`, () => {
    assert.deepEqual(
      timeMarks(seconds * 1000, most).map(({ text }) => text),
      texts,
    );
  });
}
