import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alternatives,
  band,
  bandWords,
  chosenProbability,
  describe,
  percent,
  shownTexts,
  visibleText,
} from "../../rest_adapter/web/page/views/probabilities_model.js";

const PARIS = {
  text: " Paris",
  probs: [
    { tok_str: " Paris", prob: 0.75 },
    { tok_str: " the", prob: 0.125 },
  ],
};
const UNLISTED = { text: " Rome", probs: PARIS.probs };
const token = (text) => ({ text, probs: [] });

test("the probability of a token is that of its own text among the candidates", () => {
  assert.equal(chosenProbability(PARIS), 0.75);
  assert.equal(chosenProbability({ ...PARIS, text: " the" }), 0.125);
  assert.equal(chosenProbability(UNLISTED), null);
});

test("a probability of nothing is still a probability", () => {
  const token = { text: "a", probs: [{ tok_str: "a", prob: 0 }] };
  assert.equal(chosenProbability(token), 0);
  assert.equal(band(chosenProbability(token)), "p0");
});

test("bands begin at their lower ends", () => {
  const ends = [1, 0.9, 0.8999, 0.6, 0.5999, 0.3, 0.2999, 0.1, 0.0999, 0];
  assert.deepEqual(ends.map(band), ["p4", "p4", "p3", "p3", "p2", "p2", "p1", "p1", "p0", "p0"]);
  assert.equal(band(null), "pn");
});

test("the legend has a word for each band", () => {
  assert.deepEqual(
    bandWords().map(({ name, words }) => `${name}: ${words}`),
    ["p4: 90% or more", "p3: 60% to 90%", "p2: 30% to 60%", "p1: 10% to 30%", "p0: below 10%", "pn: not in the list"],
  );
});

test("percentages never claim certainty that is not there", () => {
  const cases = [
    [1, "100%"],
    [0.99999, ">99.9%"],
    [0.9991, "99.9%"],
    [0.75, "75%"],
    [0.3333, "33.3%"],
    [0.3, "30%"],
    [0.07, "7%"],
    [0.29, "29%"],
    [0.001, "0.1%"],
    [0.0004, "<0.1%"],
    [0, "0%"],
  ];
  for (const [probability, words] of cases) assert.equal(percent(probability), words);
});

test("blanks and bytes are visible in lists", () => {
  assert.equal(visibleText(" a\n\tb"), "␣a↵⇥b");
  assert.equal(visibleText("byte: \\xe2"), "byte E2");
  assert.equal(visibleText(""), "(end of text)");
});

test("the texts of tokens together are the answer", () => {
  const tokens = ["Hello", ",", " you", "\n"].map(token);
  assert.equal(shownTexts(tokens).join(""), "Hello, you\n");
});

test("bytes that make a character are shown as that character, once", () => {
  const tokens = [
    "a",
    "byte: \\xf0",
    "byte: \\x9f",
    "byte: \\x98",
    "byte: \\x80",
    "byte: \\xc3",
    "byte: \\xa9",
    "b",
  ].map(token);
  assert.deepEqual(shownTexts(tokens), ["a", "😀", "", "", "", "é", "", "b"]);
});

test("bytes that make no character are shown by number", () => {
  const cut = ["byte: \\xf0", "byte: \\x9f", "a"].map(token);
  assert.deepEqual(shownTexts(cut), ["\\xf0", "\\x9f", "a"]);
  assert.deepEqual(shownTexts([token("byte: \\x80")]), ["\\x80"]);
  // The first byte of two, then a whole character of two.
  const stray = ["byte: \\xc3", "byte: \\xc3", "byte: \\xa9"].map(token);
  assert.deepEqual(shownTexts(stray), ["\\xc3", "é", ""]);
});

test("no tokens make no text", () => {
  assert.deepEqual(shownTexts([]), []);
});

test("alternatives keep the order of the server and mark the chosen token", () => {
  assert.deepEqual(alternatives(PARIS), [
    { text: "␣Paris", probability: 0.75, isChosen: true },
    { text: "␣the", probability: 0.125, isChosen: false },
  ]);
});

test("a chosen token that is not listed is added to the alternatives", () => {
  assert.deepEqual(alternatives(UNLISTED).at(-1), { text: "␣Rome", probability: null, isChosen: true });
  assert.equal(alternatives(UNLISTED).length, 3);
  assert.equal(describe(UNLISTED), "not among the listed tokens");
  assert.equal(describe(PARIS), "75%");
});
