import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import "fake-indexeddb/auto";

import { FakeClock } from "./fakes/clock.js";
import { FakeServer, FakeStream, refusal } from "./fakes/server.js";
import { becomes, until } from "./fakes/wait.js";

const time = new FakeClock().install();
const STATE = "../../rest_adapter/web/page/state";
const { continueAnswer, editMessage, giveResults, regenerate, running, send, stop, streaming } = await import(
  `${STATE}/chat_session.js`
);
const { conversations, current, deleteConversation, newConversation, openConversation, readConversation } =
  await import(`${STATE}/conversations.js`);
const { setSystemPrompt } = await import(`${STATE}/conversations.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { resetOptions, setOption } = await import(`${STATE}/options.js`);
const { model } = await import(`${STATE}/server.js`);
const { schemaOn, schemaProblem, schemaText } = await import(`${STATE}/schema.js`);
const { toolChoice, toolsOn, toolsProblem, toolsText } = await import(`${STATE}/tools.js`);
const { DEFAULT_TEMPLATE, setTemplate } = await import(`${STATE}/template.js`);
const { answerKey, apiKey, keyRefused, keyWanted } = await import(`${STATE}/key.js`);

const CHAT = "/v1/chat/completions";
const COMPLETION = "/completion";
const USAGE = { prompt_tokens: 30, completion_tokens: 2, total_tokens: 32 };
let fake;
let streams;

beforeEach(async () => {
  await stop();
  fake = new FakeServer().install();
  streams = [];
  for (const path of [CHAT, COMPLETION]) {
    fake.on(path, (request) => {
      streams.push(new FakeStream());
      return streams.at(-1).response(request);
    });
  }
  resetOptions();
  setTemplate(DEFAULT_TEMPLATE);
  schemaOn.value = false;
  toolsOn.value = false;
  toolChoice.value = "auto";
  model.value = null;
  apiKey.value = "";
  keyRefused.value = false;
  newConversation();
  notes.value = [];
  // Frames that were due at the end of the last test.
  time.paint();
});

const delta = (content, more = {}) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more });
const end = (finish_reason) => ({ choices: [{ index: 0, delta: {}, finish_reason }] });
const contents = () => current.value.messages.map(({ content }) => content);
const last = () => current.value.messages.at(-1);

/** Starts with `begin`, and gives the request, its stream and the promise of the end. */
async function start(begin, path = CHAT) {
  const ended = begin();
  const request = await fake.asked(path);
  return { ended, request, stream: streams.at(-1) };
}

/** Asks, and has it answered. */
async function chat(question, answer, finish = "stop", begin = () => send(question)) {
  const { ended, stream, request } = await start(begin);
  stream.send(delta(answer), end(finish), { choices: [], usage: USAGE });
  stream.done();
  assert.equal(await ended, true);
  return request;
}

/** Sends text and waits until the page has it. */
async function receive(stream, text, soFar = text, event = delta(text)) {
  stream.send(event);
  await until(() => time.nFrames > 0);
  time.paint();
  assert.equal(streaming.value.text, soFar);
}

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

test("images go along where the model can see them", async () => {
  const image = "data:image/png;base64,AAAA";
  model.value = { canSee: true };
  const { body } = await chat("", "A cat.", "stop", () => send("What is it?", [image]));

  assert.deepEqual(body.messages[0].content, [
    { type: "image_url", image_url: { url: image } },
    { type: "text", text: "What is it?" },
  ]);
  assert.deepEqual(current.value.messages[0].images, [image]);
});

test("images are left out, with a note, where the model cannot see them", async () => {
  const { body } = await chat("", "Hm.", "stop", () => send("What is it?", ["data:image/png;base64,AAAA"]));

  assert.deepEqual(body.messages, [{ role: "user", content: "What is it?" }]);
  assert.match(notes.value[0].text, /cannot see images/);
});

const piece = (content, more = {}) => ({ content, stop: false, slot_id: 0, ...more });
const final = (more = {}) => ({
  content: "",
  stop: true,
  stopped_limit: false,
  tokens_predicted: 2,
  tokens_evaluated: 30,
  timings: { predicted_per_second: 50, prompt_n: 10 },
  ...more,
});

/** As `chat`, with the template that is set. */
async function complete(question, answer, more = {}, begin = () => send(question)) {
  const { ended, stream, request } = await start(begin, COMPLETION);
  stream.send(piece(answer), final(more));
  assert.equal(await ended, true);
  return request;
}

test("with a template of one's own the conversation is sent as a text", async () => {
  setTemplate({ isOn: true, user: "Ann" });
  setOption("stop", ["END", "Ann:"]);
  setOption("top_k", 7);
  await setSystemPrompt("Be brief.");
  await complete("One", " 1");

  const { body } = await complete("Two", " 2");

  assert.deepEqual(body, {
    prompt: "Be brief.\n\nAnn: One\nLlama: 1\nAnn: Two\nLlama:",
    stop: ["END", "Ann:", "</s>", "Llama:"],
    n_predict: 1024,
    temperature: 0.7,
    top_k: 7,
    top_p: 0.95,
    truncate: false,
    stream: true,
  });
  assert.deepEqual(contents(), ["One", "1", "Two", "2"]);
  assert.deepEqual([last().finish, last().error], ["stop", ""]);
  assert.deepEqual(fake.requestsTo(CHAT), []);
});

test("a template's answer comes without blanks before it and line breaks after it, and its tokens too", async () => {
  setTemplate({ isOn: true });
  setOption("n_probs", 1);
  const token = (content) => piece(content, { completion_probabilities: [{ content, probs: [] }] });
  const { ended, request, stream } = await start(() => send("Hello"), COMPLETION);
  await receive(stream, "", "Fine", token(" Fine"));
  await receive(stream, "", "Fine.\n", token(".\n"));
  stream.send(token("\n"), final());
  await ended;

  assert.equal(request.body.n_probs, 1);
  assert.equal(last().content, "Fine.");
  assert.deepEqual(last().tokens, [
    { text: "Fine", probs: [] },
    { text: ".", probs: [] },
  ]);
});

test("the statistics of a template's answer come from the last event", async () => {
  setTemplate({ isOn: true });
  const { ended, stream } = await start(() => send("Hello"), COMPLETION);
  time.advance(200);
  await receive(stream, "", "a", piece("a"));
  time.advance(500);
  stream.send(final());
  await ended;

  assert.deepEqual(last().statistics, {
    nTokens: 2,
    nPromptTokens: 30,
    nCachedTokens: 20,
    tokensPerSecond: 50,
    firstTokenMs: 200,
    totalMs: 700,
  });
});

test("more of a template's cut answer is asked for behind its end", async () => {
  setTemplate({ isOn: true });
  await complete("Hello", " A list:\n", { stopped_limit: true });
  const { id } = last();
  assert.deepEqual([last().content, last().finish], ["A list:\n", "length"]);

  const { body } = await complete("", "- item\n", {}, continueAnswer);

  assert.equal(body.prompt, "\n\nUser: Hello\nLlama: A list:\n");
  assert.deepEqual([last().id, last().content, last().finish], [id, "A list:\n- item", "stop"]);
});

test("a template's answer is made again, and its question edited", async () => {
  setTemplate({ isOn: true });
  await complete("One", "1");

  const again = await complete("", "I", {}, regenerate);
  const edited = await complete("", "2", {}, () => editMessage(current.value.messages[0].id, "Two"));

  assert.equal(again.body.prompt, "\n\nUser: One\nLlama:");
  assert.equal(edited.body.prompt, "\n\nUser: Two\nLlama:");
  assert.deepEqual(contents(), ["Two", "2"]);
});

test("a stop keeps what came of a template's answer, and closes the connection", async () => {
  setTemplate({ isOn: true });
  const { stream } = await start(() => send("Hello"), COMPLETION);
  await receive(stream, "", "Half\n", piece(" Half\n"));

  await stop();

  assert.equal(stream.isCancelled, true);
  assert.deepEqual([last().content, last().finish], ["Half\n", "stopped"]);
});

test("an answer goes on with the template that it began with", async () => {
  setTemplate({ isOn: true });
  const { ended, stream } = await start(() => send("Hello"), COMPLETION);
  setTemplate({ isOn: false, text: "" });
  stream.send(piece(" Fine."), final());
  await ended;

  assert.equal(last().content, "Fine.");
});

test("images are left out of a template, with a note", async () => {
  setTemplate({ isOn: true });
  model.value = { canSee: true };
  const { body } = await complete("", "Hm.", {}, () => send("What is it?", ["data:image/png;base64,AAAA"]));

  assert.equal(body.prompt, "\n\nUser: What is it?\nLlama:");
  assert.match(notes.value[0].text, /template cannot hold images/);
});

test("nothing is sent or changed while the template cannot be used", async () => {
  await chat("One", "1");
  const before = current.value;
  setTemplate({ isOn: true, text: "{{prompt}}" });

  for (const begin of [() => send("Two"), regenerate, continueAnswer, () => editMessage(before.messages[0].id, "I")]) {
    assert.equal(await begin(), false);
  }

  assert.equal(current.value, before);
  assert.equal(fake.requests.length, 1);
  assert.equal(notes.value.length, 1);
  assert.match(notes.value[0].text, /template needs \{\{history\}\}/);
});

const thought = (reasoning_content) => ({ choices: [{ index: 0, delta: { reasoning_content }, finish_reason: null }] });
const called = (...tool_calls) => ({ choices: [{ index: 0, delta: { tool_calls }, finish_reason: null }] });
const begun = (index, id, name) => called({ index, id, type: "function", function: { name, arguments: "" } });
const more = (index, text) => called({ index, function: { arguments: text } });
const asCall = (id, name, text) => ({ id, type: "function", function: { name, arguments: text } });

test("what is thought comes apart from the answer, with its time", async () => {
  const { ended, stream } = await start(() => send("Hello"));
  stream.send(thought("Hm"));
  await until(() => time.nFrames > 0);
  time.advance(400);
  time.paint();
  assert.deepEqual(
    [streaming.value.text, streaming.value.reasoning, streaming.value.reasoningMs],
    ["", "Hm", 400],
  );
  stream.send(thought(", so"));
  await until(() => time.nFrames > 0);
  time.paint();
  time.advance(600);
  stream.send(delta("Fine."), end("stop"), { choices: [], usage: USAGE });
  stream.done();
  await ended;

  assert.deepEqual([last().content, last().reasoning, last().reasoningMs], ["Fine.", "Hm, so", 1000]);
  assert.equal(last().statistics.firstTokenMs, 0);
  const { body } = await chat("And you?", "Fine, too.");
  assert.deepEqual(body.messages[1], { role: "assistant", content: "Fine.", reasoning_content: "Hm, so" });
});

test("an answer without thinking and calls has no fields for them", async () => {
  await chat("Hello", "Fine.");

  assert.deepEqual(
    ["reasoning", "reasoningMs", "toolCalls"].filter((name) => name in last()),
    [],
  );
});

/** Asks, and has it answered with two calls of tools. */
async function beCalled() {
  const { ended, stream } = await start(() => send("Weather?"));
  stream.send(thought("I ask."), begun(0, "c1", "f"), more(0, '{"a"'));
  await until(() => time.nFrames > 0);
  time.paint();
  assert.equal(streaming.value.toolCalls[0].arguments, '{"a"');
  time.advance(250);
  stream.send(more(0, ": 1}"), begun(1, "c2", "g"), more(1, "{}"), end("tool_calls"), { choices: [], usage: USAGE });
  stream.done();
  await ended;
}

test("calls of tools are put together, and go on with their results", async () => {
  await beCalled();
  assert.deepEqual(last().toolCalls, [
    { id: "c1", name: "f", arguments: '{"a": 1}', result: null, totalMs: 250 },
    { id: "c2", name: "g", arguments: "{}", result: null, totalMs: 0 },
  ]);
  assert.deepEqual([last().content, last().finish], ["", "stop"]);
  const { id } = last();
  assert.equal(await giveResults(id, { c1: "one" }), false);
  assert.equal(await giveResults("other", { c1: "one", c2: "two" }), false);

  const { body } = await chat("", "Sunny.", "stop", () => giveResults(id, { c1: "one", c2: "two" }));

  assert.deepEqual(body.messages, [
    { role: "user", content: "Weather?" },
    {
      role: "assistant",
      content: null,
      reasoning_content: "I ask.",
      tool_calls: [asCall("c1", "f", '{"a": 1}'), asCall("c2", "g", "{}")],
    },
    { role: "tool", tool_call_id: "c1", content: "one" },
    { role: "tool", tool_call_id: "c2", content: "two" },
  ]);
  assert.deepEqual(contents(), ["Weather?", "", "Sunny."]);
  assert.deepEqual(await readConversation(current.value.id), current.value);
  assert.equal(await giveResults(id, { c1: "one", c2: "two" }), false);

  const again = await chat("", "Rainy.", "stop", regenerate);
  assert.deepEqual(again.body.messages, body.messages);
  assert.deepEqual(contents(), ["Weather?", "", "Rainy."]);
});

test("a call that nobody answered is not sent, and neither is an answer that holds nothing else", async () => {
  await beCalled();

  const { body } = await chat("Never mind.", "Fine.");

  assert.deepEqual(body.messages, [
    { role: "user", content: "Weather?" },
    { role: "user", content: "Never mind." },
  ]);
});

test("a call that was cut waits for no result", async () => {
  const { ended, stream } = await start(() => send("Weather?"));
  stream.send(begun(0, "c1", "f"), more(0, '{"a": '), end("length"), { choices: [], usage: USAGE });
  stream.done();
  await ended;

  assert.deepEqual([last().toolCalls[0].arguments, last().finish], ['{"a": ', "length"]);
  assert.equal(await giveResults(last().id, { c1: "one" }), false);
});

test("tools and the schema of answers are sent if they are on", async () => {
  const tools = [{ type: "function", function: { name: "f" } }];
  toolsText.value = JSON.stringify(tools);
  schemaText.value = '{"type": "object"}';
  const off = await chat("One", "1");
  assert.deepEqual(
    ["tools", "tool_choice", "response_format"].filter((name) => name in off.body),
    [],
  );
  toolsOn.value = true;
  toolChoice.value = "required";
  schemaOn.value = true;

  const { body } = await chat("Two", "2");

  assert.deepEqual([body.tools, body.tool_choice], [tools, "required"]);
  assert.deepEqual(body.response_format, {
    type: "json_schema",
    json_schema: { name: "answer", schema: { type: "object" } },
  });
});

test("what cannot be sent is told, and sends nothing", async () => {
  toolsText.value = "[";
  toolsOn.value = true;
  assert.equal(await send("One"), false);
  toolsOn.value = false;
  schemaText.value = "[]";
  schemaOn.value = true;
  assert.equal(await send("One"), false);

  assert.deepEqual(fake.requests, []);
  assert.match(notes.value[0].text, /^Tools: This is not JSON: .* Nothing was sent\./);
  assert.match(notes.value[1].text, /^JSON Schema: A schema is an object in braces\. Nothing was sent\./);
});

test("what the server refuses is told at its field until that is changed", async () => {
  schemaText.value = '{"type": "elephant"}';
  schemaOn.value = true;
  fake.on(CHAT, () => refusal(400, "response_format.json_schema.schema: /type is unknown"));
  await send("One");
  assert.equal(schemaProblem.value, "/type is unknown");
  schemaText.value = '{"type": "object"}';
  assert.equal(schemaProblem.value, "");
  schemaOn.value = false;

  toolsText.value = '[{"type": "function", "function": {"name": ""}}]';
  toolsOn.value = true;
  fake.on(CHAT, () => refusal(400, "tools[0].function.name: is empty"));
  await send("Two");
  assert.equal(toolsProblem.value, "Is empty");
});

test("a prompt template takes the schema and leaves tools out", async () => {
  setTemplate({ isOn: true });
  schemaText.value = '{"type": "object"}';
  schemaOn.value = true;
  toolsText.value = '[{"type": "function", "function": {"name": "f"}}]';
  toolsOn.value = true;

  const { ended, stream, request } = await start(() => send("One"), COMPLETION);
  stream.send({ content: "{}", stop: true });
  await ended;

  assert.deepEqual(request.body.json_schema, { type: "object" });
  assert.equal("tools" in request.body, false);
  assert.match(notes.value[0].text, /cannot hold tools/);
});
