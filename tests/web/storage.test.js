import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeClock } from "./fakes/clock.js";
import { FakeStorage } from "./fakes/storage.js";

// Node has no events of a window; an EventTarget in their place brings those of storage.
const target = new EventTarget();
globalThis.addEventListener = target.addEventListener.bind(target);
const { kept } = await import("../../rest_adapter/web/page/state/storage.js");
const { notes } = await import("../../rest_adapter/web/page/state/notes.js");

const NUMBER = { accepts: (value) => typeof value === "number" };
const time = new FakeClock().install();

beforeEach(() => {
  time.advance(1000);
  globalThis.localStorage = new FakeStorage();
  notes.value = [];
});

test("what is stored is the value at the beginning", () => {
  localStorage.setItem("n", "5");

  assert.equal(kept("n", 1, NUMBER).value, 5);
});

for (const rubbish of ["{", '"5"', "null", ""]) {
  test(`rubbish counts as nothing stored: ${JSON.stringify(rubbish)}`, () => {
    localStorage.setItem("n", rubbish);

    assert.equal(kept("n", 1, NUMBER).value, 1);
  });
}

test("many changes are written once, when they have come to rest", () => {
  const value = kept("n", 1, NUMBER);
  value.value = 2;
  value.value = 3;
  assert.equal(localStorage.getItem("n"), null);

  time.advance(1000);

  assert.equal(localStorage.getItem("n"), "3");
});

test("a page that goes writes at once", () => {
  kept("n", 1, NUMBER).value = 2;

  target.dispatchEvent(new Event("pagehide"));

  assert.equal(localStorage.getItem("n"), "2");
});

test("where storage is full the value lives on, with one note", () => {
  localStorage.isFull = true;
  const value = kept("n", 1, NUMBER);
  for (const number of [2, 3]) {
    value.value = number;
    time.advance(1000);
  }

  assert.equal(value.value, 3);
  assert.equal(notes.value.length, 1);
});

test("where there is no storage the value lives on", () => {
  delete globalThis.localStorage;
  const value = kept("n", 1, NUMBER);
  value.value = 2;
  time.advance(1000);

  assert.equal(value.value, 2);
  assert.equal(notes.value.length, 1);
});

test("a shared value follows other tabs, and does not write what it heard", () => {
  const value = kept("n", 1, { ...NUMBER, isShared: true });
  const tell = (newValue) => target.dispatchEvent(Object.assign(new Event("storage"), { key: "n", newValue }));

  tell("7");
  assert.equal(value.value, 7);
  tell("rubbish");
  tell(null);
  assert.equal(value.value, 7);

  time.advance(1000);
  assert.equal(localStorage.getItem("n"), null);
});
