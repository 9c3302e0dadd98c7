import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import {
  CHAT,
  beginTest,
  chat,
  contents,
  delta,
  end,
  fake,
  last,
  receive,
  start,
  streams,
  time,
} from "./fakes/chat.js";
import { FakeStream, refusal } from "./fakes/server.js";
import { becomes, until } from "./fakes/wait.js";

const STATE = "../../rest_adapter/web/page/state";
const { continueAnswer, editMessage, regenerate, running, send, stop, streaming } = await import(
  `${STATE}/chat_session.js`
);
const { conversations, current, deleteConversation, newConversation, openConversation, readConversation } =
  await import(`${STATE}/conversations.js`);
const { setSystemPrompt } = await import(`${STATE}/conversations.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { setOption } = await import(`${STATE}/options.js`);
const { answerKey, keyWanted } = await import(`${STATE}/key.js`);

beforeEach(beginTest);

test("a question and its answer make a conversation", async () => {
  const request = await chat("How are you?", "Fine.");

  assert.deepEqual(request.body, {
    messages: [{ role: "user", content: "How are you?" }],
    n_predict: 1024,
    temperature: 0.7,
    top_p: 0.95,
    reasoning_format: "auto",
    stream: true,
    stream_options: { include_usage: true },
  });
  assert.deepEqual(contents(), ["How are you?", "Fine."]);
  assert.deepEqual([last().finish, last().error], ["stop", ""]);
  assert.equal(conversations.value[0].title, "How are you?");
  assert.deepEqual([running.value, streaming.value], [null, null]);
  assert.deepEqual(await readConversation(current.value.id), current.value);
});

test("a later question takes the system prompt and all that was said along", async () => {
  await setSystemPrompt("Be brief.");
  await chat("One", "1");

  const { body } = await chat("Two", "2");

  assert.deepEqual(body.messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: "One" },
    { role: "assistant", content: "1" },
    { role: "user", content: "Two" },
  ]);
});

test("nothing to ask asks nothing", async () => {
  assert.equal(await send("  \n"), false);
  assert.equal(await regenerate(), false);
  assert.equal(await continueAnswer(), false);
  assert.deepEqual(fake.requests, []);
});

test("the text is published once per frame, and the conversation has it at the end", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  const published = [];
  const leave = streaming.subscribe((value) => published.push(value?.text));
  stream.send(delta("a"), delta("b"), delta("c"));
  await until(() => time.nFrames > 0);
  time.paint();
  stream.send(delta("d"), end("stop"));
  stream.done();
  await ended;
  leave();

  assert.deepEqual(published, ["", "abc", undefined]);
  assert.equal(last().content, "abcd");
});

test("statistics come from the server's counts and the page's clock", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  time.advance(200);
  await receive(stream, "a");
  time.advance(500);
  await receive(stream, "b", "ab");
  stream.send(end("stop"), {
    choices: [],
    usage: { prompt_tokens: 30, completion_tokens: 6, prompt_tokens_details: { cached_tokens: 20 } },
  });
  stream.done();
  await ended;

  assert.deepEqual(last().statistics, {
    nTokens: 6,
    nPromptTokens: 30,
    nCachedTokens: 20,
    tokensPerSecond: 10,
    firstTokenMs: 200,
    totalMs: 700,
  });
});

test("what came is saved every second, whether more comes or not", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  const { id } = current.value;
  await receive(stream, "a");
  time.advance(999);
  await receive(stream, "b", "ab");
  time.advance(1);
  let stored;
  do {
    stored = (await readConversation(id)).messages[1];
  } while (stored.content === "");

  assert.deepEqual([stored.content, stored.finish], ["ab", null]);
  stream.send(end("stop"));
  stream.done();
  await ended;
});

test("a stop keeps what came, and closes the connection", async () => {
  const { stream } = await start(() => send("Hello"));
  await receive(stream, "Half");

  await stop();

  assert.equal(stream.isCancelled, true);
  assert.deepEqual([last().content, last().finish, last().error], ["Half", "stopped", ""]);
  assert.equal(last().statistics.nTokens, 1);
  assert.deepEqual(notes.value, []);
});

test("a stop before the first token ends the wait", async () => {
  const { request } = await start(() => send("Hello"));

  await stop();

  assert.equal(request.signal.aborted, true);
  assert.deepEqual([last().content, last().finish, last().statistics], ["", "stopped", null]);
  assert.equal(running.value, null);
});

test("a stop before the request is made ends it, too", async () => {
  const ended = send("Hello");
  await stop();
  await ended;

  assert.deepEqual(fake.requests, []);
  assert.equal(last().finish, "stopped");
});

test("a stop while nothing runs is nothing", async () => {
  await stop();

  assert.equal(running.value, null);
});

test("a second question has to wait for the end of the first answer", async () => {
  const { ended, stream } = await start(() => send("One"));

  assert.equal(await send("Two"), false);

  assert.match(notes.value[0].text, /still being written/);
  stream.send(delta("1"), end("stop"));
  stream.done();
  await ended;
  assert.deepEqual(contents(), ["One", "1"]);
});

for (const [name, answer, words] of [
  ["400", () => refusal(400, "top_k: 5 is wrong"), "top_k: 5 is wrong."],
  [
    "429",
    () => refusal(429, "2 generations are running; try again later", "rate_limit_error", { "Retry-After": "1" }),
    "2 generations are running; try again later. Try again in 1 second.",
  ],
  ["503", () => refusal(503, "the model is loading", "unavailable_error"), "The model is loading."],
  ["no server", () => Promise.reject(new TypeError("fetch failed")), "The server cannot be reached."],
]) {
  test(`an error is kept with the message and noted, and the answer can be made again: ${name}`, async () => {
    const working = new FakeStream();
    fake.on(CHAT, answer);
    await send("Hello");
    assert.deepEqual([last().finish, last().error, last().content], ["error", words, ""]);
    assert.deepEqual(notes.value.map(({ kind, text }) => [kind, text]), [["error", words]]);

    fake.on(CHAT, (request) => working.response(request));
    const ended = regenerate();
    await until(() => fake.requests.length === 2);
    working.send(delta("Fine."), end("stop"));
    working.done();
    await ended;

    assert.deepEqual(fake.requests[1].body.messages, [{ role: "user", content: "Hello" }]);
    assert.deepEqual(contents(), ["Hello", "Fine."]);
  });
}

for (const [name, fail] of [
  ["the connection breaks", (stream) => stream.breakOff()],
  ["the stream ends without its end", (stream) => stream.end()],
  ["the core restarts", (stream) => stream.send({ error: { code: 503, message: "the core is gone", type: "x" } })],
]) {
  test(`what came is kept when ${name}`, async () => {
    const { ended, stream } = await start(() => send("Hello"));
    await receive(stream, "Half");

    fail(stream);
    await ended;

    assert.deepEqual([last().content, last().finish], ["Half", "error"]);
    assert.notEqual(last().error, "");
    await chat("", "Whole", "stop", regenerate);
    assert.deepEqual(contents(), ["Hello", "Whole"]);
  });
}

test("a 401 in the middle of a conversation asks for the key and goes on", async () => {
  await chat("One", "1");
  fake.on(CHAT, (request) => {
    streams.push(new FakeStream());
    const isRight = request.headers.Authorization === "Bearer right";
    return isRight ? streams.at(-1).response(request) : refusal(401, "Invalid API Key", "authentication_error");
  });
  const ended = send("Two");
  await becomes(keyWanted, Boolean);

  answerKey("right");
  await until(() => fake.requests.length === 3);
  streams.at(-1).send(delta("2"), end("stop"));
  streams.at(-1).done();
  await ended;

  assert.deepEqual(contents(), ["One", "1", "Two", "2"]);
});

test("without a key the error stays with the message", async () => {
  fake.on(CHAT, () => refusal(401, "Invalid API Key", "authentication_error"));
  const ended = send("Hello");
  await becomes(keyWanted, Boolean);

  answerKey(null);
  await ended;

  assert.equal(last().error, "Invalid API Key.");
});

test("regenerating replaces the last answer only", async () => {
  await chat("One", "1");
  await chat("Two", "2");

  const { body } = await chat("", "II", "stop", regenerate);

  assert.equal(body.messages.at(-1).content, "Two");
  assert.deepEqual(contents(), ["One", "1", "Two", "II"]);
});

test("an edited question drops what followed, and a title follows the first question", async () => {
  await chat("One", "1");
  await chat("Two", "2");

  const { body } = await chat("", "I", "stop", () => editMessage(current.value.messages[0].id, "Eins"));

  assert.deepEqual(body.messages, [{ role: "user", content: "Eins" }]);
  assert.deepEqual(contents(), ["Eins", "I"]);
  assert.equal(current.value.title, "Eins");
  assert.equal(await editMessage(last().id, "an answer cannot be edited"), false);
  assert.equal(await editMessage(current.value.messages[0].id, " "), false);
});

for (const [before, after, joined] of [
  ["The first", " second", "The first second"],
  ["Hel", "lo", "Hello"],
  ["Blank at the end ", "of it", "Blank at the end of it"],
  ["A list:\n", "- item", "A list:\n- item"],
]) {
  test(`more of a cut answer is joined to it: ${JSON.stringify(joined)}`, async () => {
    await chat("Hello", before, "length");
    const { id } = last();
    assert.equal(last().finish, "length");

    const { body } = await chat("", after, "stop", continueAnswer);

    assert.deepEqual(body.messages, [
      { role: "user", content: "Hello" },
      { role: "assistant", content: before },
    ]);
    assert.equal(body.continue_final_message, true);
    assert.deepEqual([last().id, last().content, last().finish], [id, joined, "stop"]);
  });
}

for (const [name, first, second, tokens] of [
  ["with and without", 1, 0, ["The first", " second"]],
  ["without and with", 0, 1, ["The first", " second"]],
  ["never with", 0, 0, []],
]) {
  test(`tokens add up to an answer in two parts, ${name} probabilities`, async () => {
    const probabilities = (content) => [{ content, probs: [{ tok_str: content, prob: 1 }] }];
    const part = (content, nProbs) =>
      delta(content, nProbs > 0 ? { completion_probabilities: probabilities(content) } : {});
    for (const [begin, content, nProbs, finish] of [
      [() => send("Hello"), "The first", first, "length"],
      [continueAnswer, " second", second, "stop"],
    ]) {
      setOption("n_probs", nProbs);
      const { ended, stream } = await start(begin);
      stream.send(part(content, nProbs), end(finish));
      stream.done();
      await ended;
    }

    assert.equal(last().content, "The first second");
    assert.deepEqual(last().tokens.map(({ text }) => text), tokens);
  });
}

test("going on after a stop before the first token is asking again", async () => {
  await start(() => send("Hello"));
  await stop();

  const { body } = await chat("", "Fine.", "stop", continueAnswer);

  assert.deepEqual(body.messages, [{ role: "user", content: "Hello" }]);
  assert.equal("continue_final_message" in body, false);
  assert.deepEqual(contents(), ["Hello", "Fine."]);
});

test("going on that fails leaves what was there", async () => {
  await chat("Hello", "Half", "length");
  const { statistics } = last();
  fake.on(CHAT, () => refusal(503, "try again", "unavailable_error"));

  await continueAnswer();

  assert.deepEqual([last().content, last().finish, last().statistics], ["Half", "error", statistics]);
});

test("the stream goes on while another conversation is looked at", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  const { id } = current.value;
  await receive(stream, "a");
  newConversation();
  assert.equal(running.value.conversationId, id);
  await receive(stream, "b", "ab");
  stream.send(end("stop"));
  stream.done();
  await ended;
  assert.deepEqual(current.value.messages, []);

  await openConversation(id);

  assert.deepEqual([last().content, last().finish], ["ab", "stop"]);
});

test("a conversation that is deleted takes its answer along", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  const { id } = current.value;

  await deleteConversation(id);
  await ended;

  assert.equal(stream.isCancelled, true);
  assert.equal(await readConversation(id), undefined);
  assert.equal(running.value, null);
});

test("tokens come with their alternatives, also those of characters in pieces", async () => {
  setOption("n_probs", 2);
  const entry = (content) => ({ content, probs: [{ tok_str: content, prob: 0.5 }] });
  const { ended, request, stream } = await start(() => send("Hello"));
  assert.equal(request.body.n_probs, 2);
  stream.send(
    { choices: [{ index: 0, delta: { role: "assistant" }, finish_reason: null }], completion_probabilities: [] },
    delta("Hi", { completion_probabilities: [entry("Hi")] }),
    delta(" there you", { completion_probabilities: [entry(" there"), entry(" you")] }),
    delta(" 🐉", { completion_probabilities: [entry(" "), entry("byte: \\xf0"), entry("byte: \\x9f")] }),
    delta("cut", { completion_probabilities: [entry("cut"), entry(" off")] }),
    { ...end("stop"), completion_probabilities: [entry("<eos>")] },
  );
  stream.done();
  await ended;

  assert.deepEqual(last().tokens.map(({ text }) => text), ["Hi", " there", " you", " ", "🐉", "cut"]);
  assert.equal(last().tokens.map(({ text }) => text).join(""), last().content);
  assert.deepEqual(last().tokens[0].probs, [{ tok_str: "Hi", prob: 0.5 }]);
});
