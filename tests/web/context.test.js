// How full the context is, conversations that do not fit, and what is said of what was left out.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import "fake-indexeddb/auto";

import { FakeClock } from "./fakes/clock.js";
import { FakeServer, FakeStream, json } from "./fakes/server.js";

new FakeClock().install();
const STATE = "../../rest_adapter/web/page/state";
const { regenerate, removeOldestTurn, running, send } = await import(`${STATE}/chat_session.js`);
const { completionText, generate } = await import(`${STATE}/completion_session.js`);
const { contextUse, isCutByContext } = await import(`${STATE}/context.js`);
const { current, newConversation, readConversation } = await import(`${STATE}/conversations.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { model } = await import(`${STATE}/server.js`);
const { DEFAULT_TEMPLATE, setTemplate } = await import(`${STATE}/template.js`);

const CHAT = "/v1/chat/completions";
const COMPLETION = "/completion";
const TOO_LONG = {
  code: "context_length_exceeded",
  message: "messages: has 600 tokens, which exceeds the available context size: a slot's context holds 512 and one must be left for the answer",
  type: "exceed_context_size_error",
  n_prompt_tokens: 600,
  n_ctx: 512,
};
let fake;
const contents = () => current.value.messages.map(({ content }) => content);
const last = () => current.value.messages.at(-1);

beforeEach(() => {
  fake = new FakeServer().install();
  setTemplate(DEFAULT_TEMPLATE);
  model.value = { nCtxSlot: 512 };
  newConversation();
  notes.value = [];
});

/** From now on chats are answered with this text and these counts. */
function answerChats(text, usage, finish = "stop") {
  fake.on(CHAT, (request) => {
    const stream = new FakeStream();
    const response = stream.response(request);
    const choice = { index: 0, delta: { content: text }, finish_reason: finish };
    stream.send({ choices: [choice] }, { choices: [], usage });
    stream.done();
    return response;
  });
}

function refuseChats() {
  fake.on(CHAT, () => json({ error: TOO_LONG }, 400));
}

function answerCompletions(event) {
  fake.on(COMPLETION, (request) => {
    const stream = new FakeStream();
    const response = stream.response(request);
    stream.send({ content: "a", stop: false }, { content: "", stop: true, tokens_predicted: 1, tokens_evaluated: 9, ...event });
    stream.end();
    return response;
  });
}

test("the context is as full as the last answer and its prompt", async () => {
  assert.equal(contextUse.value, null);
  answerChats("a", { prompt_tokens: 100, completion_tokens: 28 });
  await send("One");
  assert.deepEqual(contextUse.value, { used: 128, size: 512, part: 0.25, isShort: false });
  answerChats("b", { prompt_tokens: 400, completion_tokens: 10 });
  await send("Two");
  assert.equal(contextUse.value.isShort, true);
  newConversation();
  assert.equal(contextUse.value, null);
});

test("nothing is said of a context whose size is not known", async () => {
  model.value = null;
  answerChats("a", { prompt_tokens: 100, completion_tokens: 28 });
  await send("One");
  assert.equal(contextUse.value, null);
});

test("an answer at the end of the context is known from one at its own limit", () => {
  const cut = (nPromptTokens, nTokens, finish = "length") => ({ finish, statistics: { nPromptTokens, nTokens } });
  assert.equal(isCutByContext(cut(500, 12), 512), true);
  assert.equal(isCutByContext(cut(500, 11), 512), true);
  assert.equal(isCutByContext(cut(500, 10), 512), false);
  assert.equal(isCutByContext(cut(500, 12, "stop"), 512), false);
  assert.equal(isCutByContext(cut(500, 12), null), false);
  assert.equal(isCutByContext({ finish: "length", statistics: null }, 512), false);
});

test("a conversation that does not fit says so in the place of its answer, also when it is read again", async () => {
  refuseChats();
  await send("One");
  assert.deepEqual([last().finish, last().isTooLong], ["error", true]);
  assert.equal(last().error, "It has 600 tokens, and the context holds 512, those of the answer included.");
  assert.deepEqual(notes.value, []);
  assert.equal((await readConversation(current.value.id)).messages[1].isTooLong, true);
  assert.equal("truncate" in fake.requestsTo(CHAT)[0].body, false);
});

test("it can be sent without its oldest part, and what was left out is kept with the answer", async () => {
  refuseChats();
  await send("One");
  answerChats("a", { prompt_tokens: 500, completion_tokens: 2, prompt_tokens_details: { truncated_tokens: 100 } });
  await regenerate({ truncates: true });
  assert.equal(fake.requestsTo(CHAT)[1].body.truncate, true);
  assert.deepEqual(contents(), ["One", "a"]);
  assert.deepEqual([last().finish, last().isTooLong, last().statistics.nTruncatedTokens], ["stop", undefined, 100]);
  // The next question is asked as always.
  await send("Two");
  assert.equal("truncate" in fake.requestsTo(CHAT)[2].body, false);
});

test("it can be sent without its oldest turn", async () => {
  answerChats("a", { prompt_tokens: 100, completion_tokens: 2 });
  await send("One");
  await send("Two");
  refuseChats();
  await send("Three");
  assert.equal(contextUse.value, null);
  answerChats("c", { prompt_tokens: 300, completion_tokens: 2 });
  assert.equal(await removeOldestTurn(), true);
  assert.deepEqual(contents(), ["Two", "a", "Three", "c"]);
  assert.deepEqual(
    fake.requests.at(-1).body.messages.map(({ content }) => content),
    ["Two", "a", "Three"],
  );
});

test("turns are removed beforehand, too; then nothing is asked, and how full the context is is not known", async () => {
  answerChats("a", { prompt_tokens: 450, completion_tokens: 2 });
  await send("One");
  await send("Two");
  assert.equal(await removeOldestTurn(), false);
  assert.deepEqual(contents(), ["Two", "a"]);
  assert.equal(contextUse.value, null);
  assert.equal(fake.requests.length, 2);
  // The last turn stays.
  assert.equal(await removeOldestTurn(), false);
  assert.deepEqual(contents(), ["Two", "a"]);
});

test("nothing is removed while an answer is written", async () => {
  answerChats("a", { prompt_tokens: 450, completion_tokens: 2 });
  await send("One");
  const ended = send("Two");
  assert.notEqual(running.value, null);
  assert.equal(await removeOldestTurn(), false);
  await ended;
  assert.deepEqual(contents(), ["One", "a", "Two", "a"]);
});

test("with a template of one's own nothing is left out unasked either", async () => {
  setTemplate({ isOn: true });
  fake.on(COMPLETION, () => json({ error: { ...TOO_LONG, code: 400 } }, 400));
  await send("One");
  assert.equal(last().isTooLong, true);
  answerCompletions({ truncated: true });
  await regenerate({ truncates: true });
  assert.deepEqual(
    fake.requestsTo(COMPLETION).map(({ body }) => body.truncate),
    [false, true],
  );
  // The server does not count there.
  assert.equal(last().statistics.nTruncatedTokens, 0);
});

test("a completion that does not see all of its text says so", async () => {
  completionText.value = "Once upon a time";
  answerCompletions({ truncated: false });
  await generate();
  assert.deepEqual(notes.value, []);
  answerCompletions({ truncated: true });
  await generate();
  assert.match(notes.value[0].text, /does not fit into the context/);
});
