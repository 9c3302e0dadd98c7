import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeStorage } from "./fakes/storage.js";

globalThis.localStorage = new FakeStorage();
localStorage.setItem("slotline.key", "kept");
const { answerKey, apiKey, keyRefused, keyRejected, keyWanted, requestKey } = await import(
  "../../rest_adapter/web/page/state/key.js"
);
const { notes } = await import("../../rest_adapter/web/page/state/notes.js");
const keptKey = apiKey.value;

beforeEach(() => {
  answerKey("");
  notes.value = [];
});

test("the key of the last visit is there", () => {
  assert.equal(keptKey, "kept");
});

test("an answer goes to all who asked, closes the dialog and is kept", async () => {
  const questions = [requestKey(), requestKey()];
  assert.equal(keyWanted.value, true);

  answerKey(" secret ");

  assert.deepEqual(await Promise.all(questions), ["secret", "secret"]);
  assert.equal(keyWanted.value, false);
  assert.equal(apiKey.value, "secret");
  assert.equal(localStorage.getItem("slotline.key"), "secret");
});

test("no answer leaves the key as it is, and is remembered", async () => {
  answerKey("old");
  const question = requestKey();

  answerKey(null);

  assert.equal(await question, null);
  assert.equal(apiKey.value, "old");
  assert.equal(keyRefused.value, true);
});

test("an empty answer forgets the key", async () => {
  answerKey("old");
  const question = requestKey();

  answerKey("  ");

  assert.equal(await question, null);
  assert.equal(localStorage.getItem("slotline.key"), "");
});

test("a question that follows a key says that the key was not accepted", () => {
  void requestKey();
  assert.equal(keyRejected.value, false);

  answerKey("wrong");
  void requestKey();

  assert.equal(keyRejected.value, true);
});

test("a key that no header can carry leaves the question open, with a note", async () => {
  const question = requestKey();

  answerKey("schlüssel");
  assert.equal(keyWanted.value, true);
  assert.equal(notes.value.length, 1);

  answerKey("key");
  assert.equal(await question, "key");
});
