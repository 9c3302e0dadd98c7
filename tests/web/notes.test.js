import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { addNote, dismissNote, notes } from "../../rest_adapter/web/page/state/notes.js";

beforeEach(() => {
  notes.value = [];
});

test("a note has its text and its detail", () => {
  const id = addNote("error", "It failed.", "because");

  assert.deepEqual(notes.value, [{ id, kind: "error", text: "It failed.", detail: "because" }]);
});

test("the same words are not repeated while they are in view", () => {
  const first = addNote("error", "It failed.");

  assert.equal(addNote("error", "It failed."), first);
  assert.equal(notes.value.length, 1);

  dismissNote(first);
  assert.notEqual(addNote("error", "It failed."), first);
});

test("a note that is dismissed goes, and only it", () => {
  const id = addNote("info", "One.");
  addNote("info", "Two.");

  dismissNote(id);
  dismissNote(id);

  assert.deepEqual(notes.value.map(({ text }) => text), ["Two."]);
});

test("of many notes the newest stay", () => {
  for (let i = 1; i <= 20; i++) {
    addNote("error", `Number ${i}.`);
  }

  assert.deepEqual(notes.value.map(({ text }) => text), [16, 17, 18, 19, 20].map((i) => `Number ${i}.`));
});
