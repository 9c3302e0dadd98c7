import assert from "node:assert/strict";
import { test } from "node:test";

import {
  dayLabel,
  formatCount,
  formatMs,
  formatNumber,
  formatRate,
  statisticsWords,
} from "../../rest_adapter/web/page/text/format.js";

test("numbers have separators between thousands", () => {
  assert.equal(formatNumber(1234567), "1,234,567");
  assert.equal(formatNumber(0), "0");
});

test("a count is singular for one only", () => {
  assert.deepEqual([0, 1, 2, 1500].map((number) => formatCount(number, "token")), [
    "0 tokens",
    "1 token",
    "2 tokens",
    "1,500 tokens",
  ]);
});

test("speeds keep about three digits", () => {
  assert.deepEqual([0.5, 9.876, 41.83, 1203.4].map(formatRate), ["0.50", "9.88", "41.8", "1,203"]);
});

test("durations come in the unit that fits", () => {
  assert.deepEqual([0, 84.6, 1240, 12340, 60000, 125000, 179600].map(formatMs), [
    "0 ms",
    "85 ms",
    "1.24 s",
    "12.3 s",
    "1 min 0 s",
    "2 min 5 s",
    "3 min 0 s",
  ]);
});

test("times fall under the days of the reader's clock", () => {
  const now = new Date(2024, 1, 20, 0, 30).getTime();
  const at = (day, hour) => dayLabel(new Date(2024, 1, day, hour).getTime(), now);
  assert.equal(at(20, 0), "Today");
  assert.equal(at(19, 23), "Yesterday");
  assert.equal(at(19, 0), "Yesterday");
  assert.equal(at(18, 23), "Last 7 days");
  assert.equal(at(13, 1), "Last 7 days");
  assert.equal(at(12, 23), "Earlier");
});

test("a clock that is behind does not make a time of tomorrow old", () => {
  assert.equal(dayLabel(new Date(2024, 1, 21).getTime(), new Date(2024, 1, 20).getTime()), "Today");
});

test("statistics say tokens, speed, first token and cache", () => {
  const statistics = { nTokens: 128, nPromptTokens: 80, nCachedTokens: 35, tokensPerSecond: 41.2, firstTokenMs: 120 };
  assert.deepEqual(statisticsWords(statistics), [
    "128 tokens",
    "41.2 tokens/s",
    "first token after 120 ms",
    "35 of 80 prompt tokens cached",
  ]);
});

test("statistics leave out what is not known", () => {
  const unknown = { nPromptTokens: 0, nCachedTokens: null, tokensPerSecond: null, firstTokenMs: null };
  assert.deepEqual(statisticsWords({ nTokens: 1, ...unknown }), ["1 token"]);
  assert.deepEqual(statisticsWords({ nTokens: 2, ...unknown, nPromptTokens: 9 }), ["2 tokens", "9 prompt tokens"]);
});
