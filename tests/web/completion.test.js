// completion.js against answers made by hand: what it sends, and what it makes of every kind of answer.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import {
  llama,
  llamaComplete,
  llamaEventTarget,
  llamaModelInfo,
  llamaPromise,
} from "../../rest_adapter/web/completion.js";

const SETTINGS = { temperature: 0.5, model: "m.gguf" };
const TIMINGS = { predicted_n: 3 };
const EVENTS = [
  { content: " naïve", stop: false, slot_id: 0 },
  { content: " 龍🐉", stop: false, slot_id: 0 },
  { content: "", stop: true, generation_settings: SETTINGS, timings: TIMINGS },
];
const TEXT = " naïve 龍🐉";

const realFetch = globalThis.fetch;
const realError = console.error;
let asked;
let logged;
let answer;

beforeEach(() => {
  asked = [];
  logged = [];
  answer = () => stream(framed(EVENTS));
  globalThis.fetch = async (url, options = {}) => {
    options.signal?.throwIfAborted();
    asked.push({ url, ...options });
    return answer(options);
  };
  console.error = (...words) => logged.push(words.join(" "));
});

afterEach(() => {
  globalThis.fetch = realFetch;
  console.error = realError;
});

const framed = (events) => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");

/** A stream whose bytes come in parts of the given size. */
function stream(text, size = Infinity) {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

/** A stream that stays open until it is aborted. */
function openStream(text, signal) {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      signal.addEventListener("abort", () => controller.error(signal.reason));
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}

function json(body, status = 200) {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json; charset=utf-8" } });
}

/** What a generator yields, and what it returns. */
async function drained(generator) {
  const chunks = [];
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return { chunks, value };
    chunks.push(value);
  }
}

function seen(target, names) {
  const found = [];
  return new Promise((resolve) => {
    for (const name of names) {
      target.addEventListener(name, ({ detail }) => {
        found.push([name, detail]);
        if (name === "done" || name === "error") resolve(found);
      });
    }
  });
}

test("a prompt alone is sent with the documented defaults and headers", async () => {
  await drained(llama("Hi"));
  const [{ url, method, headers, body }] = asked;
  assert.equal(url, "/completion");
  assert.equal(method, "POST");
  assert.deepEqual(JSON.parse(body), {
    stream: true,
    n_predict: 500,
    temperature: 0.2,
    stop: ["</s>"],
    prompt: "Hi",
  });
  assert.deepEqual(headers, {
    Connection: "keep-alive",
    "Content-Type": "application/json",
    Accept: "text/event-stream",
  });
});

test("params win over defaults, the prompt over params, and the key is sent twice", async () => {
  await drained(llama([1, 2], { n_predict: 7, stop: [], top_k: 3, api_key: "secret", prompt: "no" }));
  assert.deepEqual(JSON.parse(asked[0].body), {
    stream: true,
    n_predict: 7,
    temperature: 0.2,
    stop: [],
    top_k: 3,
    api_key: "secret",
    prompt: [1, 2],
  });
  assert.equal(asked[0].headers.Authorization, "Bearer secret");
});

test("another server may be named, with or without a slash at the end", async () => {
  await drained(llama("Hi", {}, { api_url: "http://there:1/" }));
  await drained(llama("Hi", {}, { api_url: "/proxy" }));
  assert.deepEqual(asked.map(({ url }) => url), ["http://there:1/completion", "/proxy/completion"]);
});

for (const size of [1, 2, 3, 7, Infinity]) {
  test(`events come out whole when the network delivers ${size} bytes at a time`, async () => {
    answer = () => stream(framed(EVENTS), size);
    const { chunks, value } = await drained(llama("Hi"));
    assert.deepEqual(chunks, EVENTS.map((data) => ({ data })));
    assert.equal(value, TEXT);
  });
}

test("line ends of either kind, comments, other fields and a missing last line end are all right", async () => {
  const a = 'data:{"content":"a","stop":false}';
  const lines = [": ping", "", ": ping", "", "id: 7", a, "", ": ping", "", "data: [DONE]", 'data: {"content":"b"}'];
  answer = () => stream(lines.join("\r\n"), 4);
  const { chunks, value } = await drained(llama("Hi"));
  assert.deepEqual(chunks, [{ data: { content: "a", stop: false } }, { data: { content: "b" } }]);
  assert.equal(value, "ab");
});

test("nothing is read after the event that says stop", async () => {
  answer = ({ signal }) => openStream(framed([...EVENTS, { content: "more", stop: false }]), signal);
  assert.equal((await drained(llama("Hi"))).value, TEXT);
});

test("several prompts end after the last one", async () => {
  const events = [
    { content: "a", stop: false, index: 0 },
    { content: "", stop: true, index: 1 },
    { content: "b", stop: false, index: 0 },
    { content: "", stop: true, index: 0 },
  ];
  answer = () => stream(framed(events));
  const { chunks, value } = await drained(llama(["one", "two"]));
  assert.deepEqual(chunks, events.map((data) => ({ data })));
  assert.equal(value, "ab");
});

test("an answer without a stream is one chunk, or one for each prompt", async () => {
  answer = () => json({ content: "all", stop: true });
  assert.deepEqual(await drained(llama("Hi", { stream: false })), {
    chunks: [{ data: { content: "all", stop: true } }],
    value: "all",
  });
  answer = () => json({ results: [{ content: "a", stop: true, index: 0 }, { content: "b", stop: true, index: 1 }] });
  assert.equal(await llamaPromise(["x", "y"], { stream: false }), "ab");
});

test("the controller is always aborted at the end", async () => {
  const whole = new AbortController();
  await drained(llama("Hi", {}, { controller: whole }));
  assert.ok(whole.signal.aborted);

  const left = new AbortController();
  answer = ({ signal }) => openStream(framed(EVENTS.slice(0, 1)), signal);
  for await (const chunk of llama("Hi", {}, { controller: left })) {
    assert.equal(chunk.data.content, " naïve");
    assert.ok(!left.signal.aborted);
    break;
  }
  assert.ok(left.signal.aborted);

  const failed = new AbortController();
  answer = () => json({ error: { message: "no" } }, 400);
  await assert.rejects(drained(llama("Hi", {}, { controller: failed })));
  assert.ok(failed.signal.aborted);
});

test("an abort while waiting and one in the stream are thrown and not logged", async () => {
  const before = new AbortController();
  before.abort();
  await assert.rejects(llamaPromise("Hi", {}, { controller: before }), { name: "AbortError" });

  const during = new AbortController();
  answer = ({ signal }) => openStream(framed(EVENTS.slice(0, 1)), signal);
  const generator = llama("Hi", {}, { controller: during });
  await generator.next();
  during.abort();
  await assert.rejects(generator.next(), { name: "AbortError" });
  assert.deepEqual(logged, []);
});

test("an answer that is an error throws the server's message, with status and type, and logs it", async () => {
  answer = () => json({ error: { code: 401, message: "the key is wrong", type: "authentication_error" } }, 401);
  await assert.rejects(llamaPromise("Hi"), { message: "the key is wrong", status: 401, type: "authentication_error" });
  assert.deepEqual(logged, ["llama error: Error: the key is wrong"]);
});

test("errors of old servers and of proxies are thrown, too", async () => {
  answer = () => new Response("Unauthorized\n", { status: 401 });
  await assert.rejects(llamaPromise("Hi"), { message: "Unauthorized", status: 401 });
  answer = () => new Response("", { status: 502 });
  await assert.rejects(llamaPromise("Hi"), { message: "the server answered 502", status: 502 });
});

test("a server that cannot be reached is an error that is logged once", async () => {
  answer = () => {
    throw new TypeError("fetch failed");
  };
  await assert.rejects(llamaPromise("Hi"), { name: "TypeError", message: "fetch failed" });
  assert.equal(logged.length, 1);
});

test("an error event ends the generation with the server's message", async () => {
  const failure = { error: { code: 503, message: "the core is gone", type: "unavailable_error" } };
  answer = () => stream(framed([EVENTS[0], failure]));
  const generator = llama("Hi");
  assert.deepEqual((await generator.next()).value, { data: EVENTS[0] });
  await assert.rejects(generator.next(), { message: "the core is gone", status: 503, type: "unavailable_error" });
});

test("an error line is shown, and what came before it is returned", async () => {
  answer = () => stream(`${framed(EVENTS.slice(0, 1))}error: {"content":"system prompt is busy"}\n\n`, 5);
  assert.equal((await drained(llama("Hi"))).value, " naïve");
  assert.deepEqual(logged, ["llama error: system prompt is busy"]);
});

test("an error line that is no JSON is shown as it is", async () => {
  answer = () => stream("error: out of luck\n\n");
  assert.equal((await drained(llama("Hi"))).value, "");
  assert.deepEqual(logged, ["llama error: out of luck"]);
});

test("'slot unavailable' is thrown in these words, however it was said", async () => {
  const wanted = { name: "Error", message: "slot unavailable" };
  answer = () => stream('error: {"content":"task failed: slot unavailable, sorry"}\n\n');
  await assert.rejects(llamaPromise("Hi"), wanted);
  answer = () => json({ error: { message: "slot unavailable for now" } }, 503);
  await assert.rejects(llamaPromise("Hi"), { ...wanted, status: 503 });
});

test("llamaEventTarget tells chunks, settings, timings and the end, in this order", async () => {
  const target = llamaEventTarget("Hi");
  assert.ok(target instanceof EventTarget);
  assert.deepEqual(await seen(target, ["message", "generation_settings", "timings", "done", "error"]), [
    ...EVENTS.map((data) => ["message", data]),
    ["generation_settings", SETTINGS],
    ["timings", TIMINGS],
    ["done", { content: TEXT }],
  ]);
});

test("llamaEventTarget tells an error, and nothing is left unhandled", async () => {
  answer = () => json({ error: { message: "no" } }, 400);
  const [[name, error], ...others] = await seen(llamaEventTarget("Hi"), ["message", "done", "error"]);
  assert.equal(name, "error");
  assert.equal(error.message, "no");
  assert.deepEqual(others, []);
});

test("llamaPromise gives the whole text", async () => {
  assert.equal(await llamaPromise("Hi"), TEXT);
});

test("llamaComplete calls back with each chunk, and uses the controller", async () => {
  const chunks = [];
  const controller = new AbortController();
  await llamaComplete({ prompt: "Hi", n_predict: 3 }, controller, (chunk) => chunks.push(chunk));
  assert.deepEqual(chunks, EVENTS.map((data) => ({ data })));
  assert.equal(JSON.parse(asked[0].body).n_predict, 3);
  assert.ok(controller.signal.aborted);
});

test("llamaModelInfo asks for the properties once, and knows the settings of the last completion", async () => {
  const api_url = "http://info:1";
  answer = ({ method }) => (method ? stream(framed(EVENTS)) : json({ default_generation_settings: { seed: -1 } }));
  assert.deepEqual(await llamaModelInfo({ api_url, api_key: "k" }), { seed: -1 });
  assert.deepEqual(await llamaModelInfo({ api_url }), { seed: -1 });
  assert.deepEqual(asked, [{ url: "http://info:1/props", headers: { Authorization: "Bearer k" } }]);
  await llamaPromise("Hi", {}, { api_url });
  assert.deepEqual(await llamaModelInfo({ api_url }), SETTINGS);
  assert.equal(asked.length, 2);
});

test("llamaModelInfo throws the server's message, and asks again next time", async () => {
  const api_url = "http://locked:1";
  answer = () => json({ error: { message: "a key is needed" } }, 401);
  await assert.rejects(llamaModelInfo({ api_url }), { message: "a key is needed", status: 401 });
  answer = () => json({ default_generation_settings: { seed: 2 } });
  assert.deepEqual(await llamaModelInfo({ api_url }), { seed: 2 });
});
