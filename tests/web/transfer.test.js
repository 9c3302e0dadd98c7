import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import "fake-indexeddb/auto";

import { FakeClock } from "./fakes/clock.js";

new FakeClock().install();
const {
  changeConversation,
  conversations,
  current,
  deleteConversation,
  keepOriginal,
  newConversation,
  readConversation,
  readOriginals,
} = await import("../../rest_adapter/web/page/state/conversations.js");
const { makePicture } = await import("../../rest_adapter/web/page/state/pictures.js");
const { makeAnswer, makeQuestion, withMessagesFrom } = await import("../../rest_adapter/web/page/state/messages.js");
const { exportConversations, importConversations } = await import("../../rest_adapter/web/page/state/transfer.js");

const IMAGE = "data:image/png;base64,AAAA";
const shrink = async (address) => `small ${address}`;
const MESSAGE = { id: "m1", role: "user", content: "Hello" };
const CONVERSATION = { id: "c1", title: "T", createdAt: 1, updatedAt: 2, messages: [MESSAGE] };

beforeEach(async () => {
  for (const { id } of conversations.value) {
    await deleteConversation(id);
  }
});

const CALLS = [
  { id: "c1", name: "f", arguments: '{"a": 1}', result: "done", totalMs: 12.5 },
  { id: "c2", name: "g", arguments: "{}", result: null, totalMs: null },
];

function fileWith(changes) {
  return JSON.stringify({ format: "slotline-conversations", version: 1, conversations: [CONVERSATION], ...changes });
}

function fileWithMessage(changes) {
  return fileWith({ conversations: [{ ...CONVERSATION, messages: [{ ...MESSAGE, ...changes }] }] });
}

async function talk(question) {
  newConversation();
  const answer = {
    ...makeAnswer(),
    content: "Fine. 🐉",
    reasoning: "Hm",
    reasoningMs: 7,
    toolCalls: CALLS,
    finish: "stop",
    tokens: [{ text: "Fine. 🐉", probs: [{ tok_str: "Fine", prob: 0.5 }] }],
    statistics: {
      nTokens: 3,
      nPromptTokens: 4,
      nCachedTokens: null,
      tokensPerSecond: 1.5,
      firstTokenMs: 10,
      totalMs: 20,
    },
  };
  const picture = makePicture("cat.png", IMAGE, "small");
  keepOriginal(picture);
  const messages = [makeQuestion(question, [picture]), answer];
  return changeConversation(current.value.id, (one) => withMessagesFrom(one, 0, messages, one.updatedAt));
}

test("what is exported can be imported again as it was", async () => {
  const before = [await talk("First"), await talk("Second")];
  const text = await exportConversations();
  for (const { id } of before) {
    await deleteConversation(id);
  }

  assert.deepEqual(await importConversations(text, shrink), { added: 2, skipped: 0 });

  for (const conversation of before) {
    const after = await readConversation(conversation.id);
    const [question, answer] = after.messages;
    assert.deepEqual(withoutPictures(after), withoutPictures({ ...conversation, revision: 0 }));
    assert.deepEqual(answer.images, []);
    assert.deepEqual(question.images.map(({ thumbnail }) => thumbnail), [`small ${IMAGE}`]);
    assert.deepEqual([...(await readOriginals(question.images)).values()], [IMAGE]);
  }
});

const withoutPictures = ({ messages, ...others }) => ({
  ...others,
  messages: messages.map((message) => ({ ...message, images: [] })),
});

test("files have pictures as they were sent", async () => {
  const { id } = await talk("First");

  const file = JSON.parse(await exportConversations([id]));

  assert.deepEqual(file.conversations[0].messages.map(({ images }) => images), [[IMAGE], []]);
});

test("a picture whose file could not be kept is exported as its small copy", async () => {
  const small = "data:image/jpeg;base64,BBBB";
  newConversation();
  const question = makeQuestion("First", [makePicture("cat.png", IMAGE, small), makePicture("odd.png", IMAGE, "")]);
  const { id } = await changeConversation(current.value.id, (one) => withMessagesFrom(one, 0, [question], 1));

  const file = JSON.parse(await exportConversations([id]));

  assert.deepEqual(file.conversations[0].messages[0].images, [small]);
});

test("some conversations can be exported alone; ids that do not exist are left out", async () => {
  await talk("First");
  const { id } = await talk("Second");

  const file = JSON.parse(await exportConversations([id, "nobody"]));

  assert.deepEqual([file.format, file.version], ["slotline-conversations", 1]);
  assert.deepEqual(file.conversations.map(({ title }) => title), ["Second"]);
});

test("what is here already is skipped, also when it has grown since", async () => {
  const { id, messages } = await talk("First");
  const text = await exportConversations();
  await changeConversation(id, (one) => withMessagesFrom(one, 2, [makeQuestion("More", [])], one.updatedAt));

  assert.deepEqual(await importConversations(text, shrink), { added: 0, skipped: 1 });
  assert.equal((await readConversation(id)).messages.length, messages.length + 1);
});

test("another state of a conversation is added beside it, nothing is overwritten", async () => {
  const { id } = await talk("First");
  const file = JSON.parse(await exportConversations());
  file.conversations[0].messages[1].content = "Otherwise.";

  assert.deepEqual(await importConversations(JSON.stringify(file), shrink), { added: 1, skipped: 0 });
  assert.equal((await readConversation(id)).messages[1].content, "Fine. 🐉");
  assert.equal(conversations.value.length, 2);
});

test("fields that may be missing get their usual values, unknown ones are left out", async () => {
  const messages = [MESSAGE, { id: "m2", role: "assistant", content: "H", finish: null, evil: 1 }];
  await importConversations(fileWith({ conversations: [{ ...CONVERSATION, messages, evil: 1 }], evil: 1 }), shrink);

  assert.deepEqual(await readConversation("c1"), {
    ...CONVERSATION,
    isRenamed: false,
    revision: 0,
    systemPrompt: "",
    messages: [
      { ...MESSAGE, images: [], tokens: [], statistics: null, finish: null, error: "" },
      { ...makeAnswer(), id: "m2", content: "H", finish: "stopped" },
    ],
  });
});

for (const [text, words] of [
  ["", /^This file is not JSON: /],
  ["{", /^This file is not JSON: /],
  ["null", /^format: nothing is not "slotline-conversations"/],
  ["[]", /^format: nothing is not/],
  ["{}", /^format: nothing is not/],
  [fileWith({ format: "other" }), /^format: "other" is not "slotline-conversations"/],
  [fileWith({ version: 2 }), /^version: 2 is not 1/],
  [fileWith({ conversations: {} }), /^conversations: {} is not a list\.$/],
  [fileWith({ conversations: [null] }), /^conversations\[0\]: null is not an object\.$/],
  [fileWith({ conversations: [CONVERSATION, CONVERSATION] }), /^conversations\[1\]\.id: "c1" is there twice/],
  [fileWith({ conversations: [{ ...CONVERSATION, id: "<b>" }] }), /^conversations\[0\]\.id: "<b>" is not an id/],
  [fileWith({ conversations: [{ ...CONVERSATION, title: 5 }] }), /^conversations\[0\]\.title: 5 is not a text\.$/],
  [fileWith({ conversations: [{ ...CONVERSATION, updatedAt: "x" }] }), /\.updatedAt: "x" is not a time/],
  [fileWith({ conversations: [{ ...CONVERSATION, messages: 1 }] }), /\[0\]\.messages: 1 is not a list\.$/],
  [fileWithMessage({ role: "system" }), /^conversations\[0\]\.messages\[0\]\.role: "system" is not one of "user"/],
  [fileWithMessage({ content: null }), /messages\[0\]\.content: null is not a text/],
  [fileWithMessage({ reasoning: 5 }), /messages\[0\]\.reasoning: 5 is not a text/],
  [fileWithMessage({ toolCalls: {} }), /messages\[0\]\.toolCalls: {} is not a list/],
  [fileWithMessage({ toolCalls: [{ id: "c" }] }), /toolCalls\[0\]\.name: nothing is not a text/],
  [fileWithMessage({ toolCalls: [{ ...CALLS[0], result: 5 }] }), /toolCalls\[0\]\.result: 5 is not a text/],
  [fileWithMessage({ finish: "x" }), /messages\[0\]\.finish: "x" is not one of/],
  [fileWithMessage({ images: ["https://example.org/a.png"] }), /images\[0\]: "https.* is not a data URL of an image/],
  [fileWithMessage({ images: ["data:image/svg+xml;base64,AAAA"] }), /images\[0\]: /],
  [fileWithMessage({ tokens: [{ text: "a" }] }), /tokens\[0\]\.probs: nothing is not a list/],
  [fileWithMessage({ tokens: [{ text: "a", probs: [{ tok_str: "a", prob: "1" }] }] }), /prob: "1" is not a number/],
  [fileWithMessage({ statistics: { nTokens: "many" } }), /statistics\.nTokens: "many" is not a number/],
]) {
  test(`rubbish is refused, and nothing is added: ${words}`, async () => {
    await assert.rejects(importConversations(text, shrink), (error) => words.test(error.message) || assert.fail(error.message));

    assert.deepEqual(conversations.value, []);
  });
}

test("a conversation whose tools have given more since the export is added again", async () => {
  const { id } = await talk("First");
  const text = await exportConversations([id]);
  const later = JSON.parse(text);
  later.conversations[0].messages[1].toolCalls[1].result = "two";

  assert.deepEqual(await importConversations(text, shrink), { added: 0, skipped: 1 });
  assert.deepEqual(await importConversations(JSON.stringify(later), shrink), { added: 1, skipped: 0 });
});
