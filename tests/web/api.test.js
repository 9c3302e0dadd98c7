import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeServer, FakeStream, json, refusal } from "./fakes/server.js";
import { becomes } from "./fakes/wait.js";
import { ApiError, getJson, getText, postJson, streamChat, streamCompletion } from "../../rest_adapter/web/page/api.js";
import { answerKey, keyWanted } from "../../rest_adapter/web/page/state/key.js";

const CHAT = "/v1/chat/completions";
let fake;

beforeEach(() => {
  fake = new FakeServer().install();
  answerKey("");
  // Forgets that no key was given.
  answerKey("key");
});

function needsKey(right) {
  return ({ headers }) =>
    headers.Authorization === `Bearer ${right}`
      ? json({ ok: true })
      : refusal(401, "Invalid API Key", "authentication_error");
}

function streamOf(path) {
  const stream = new FakeStream();
  fake.on(path, (request) => stream.response(request));
  return stream;
}

async function all(events) {
  const found = [];
  for await (const event of events) {
    found.push(event);
  }
  return found;
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail("it did not fail");
}

test("JSON and text come as they are, with the key", async () => {
  fake.on("/props", () => json({ total_slots: 2 }));
  fake.on("/metrics", () => new Response("a 1\n"));
  fake.on("/tokenize", () => json({ tokens: [1] }));

  assert.deepEqual(await getJson("/props"), { total_slots: 2 });
  assert.equal(await getText("/metrics"), "a 1\n");
  assert.deepEqual(await postJson("/tokenize", { content: "ä" }), { tokens: [1] });
  const keys = fake.requests.map(({ headers }) => headers.Authorization);
  assert.deepEqual(keys, ["Bearer key", "Bearer key", "Bearer key"]);
  assert.deepEqual(fake.requests[2].body, { content: "ä" });
});

for (const [response, expected] of [
  [
    () => refusal(400, 'temperature: "x" is not a finite number'),
    {
      status: 400,
      type: "invalid_request_error",
      field: "temperature",
      message: 'temperature: "x" is not a finite number',
    },
  ],
  [
    () => refusal(400, "messages[0].role: 5 is not a string"),
    { status: 400, field: "messages[0].role", message: "messages[0].role: 5 is not a string" },
  ],
  [
    () => refusal(429, "try again later", "rate_limit_error", { "Retry-After": "3" }),
    { status: 429, type: "rate_limit_error", field: "", retryAfterS: 3 },
  ],
  [
    () => refusal(503, "try again", "unavailable_error", { "Retry-After": "Wed, 21 Oct" }),
    { status: 503, retryAfterS: null },
  ],
  [() => json({ status: "loading model" }, 503), { status: 503, message: "The server is loading its model." }],
  [() => new Response("<html>", { status: 502 }), { status: 502, message: "The server answered with the error 502." }],
  [() => Promise.reject(new TypeError("fetch failed")), { status: 0, message: "The server cannot be reached." }],
  [() => new Response("<html>"), { status: 200, message: "The server's answer is not JSON." }],
]) {
  test(`an error says: ${expected.message ?? JSON.stringify(expected)}`, async () => {
    fake.on("/props", response);

    const error = await failure(getJson("/props"));

    assert.ok(error instanceof ApiError);
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(error[name], value);
    }
  });
}

test("a 401 asks for a key and tries again with it", async () => {
  fake.on("/props", needsKey("right"));
  const answer = getJson("/props");
  await becomes(keyWanted, Boolean);

  answerKey("wrong");
  await becomes(keyWanted, Boolean);
  answerKey("right");

  assert.deepEqual(await answer, { ok: true });
});

test("several requests with a 401 make one question", async () => {
  fake.on("/props", needsKey("right"));
  const answers = [getJson("/props"), getJson("/props"), postJson("/props", {})];
  await becomes(keyWanted, Boolean);

  answerKey("right");

  assert.equal((await Promise.all(answers)).length, 3);
  assert.equal(keyWanted.value, false);
});

test("a key that changed meanwhile is tried before anyone is asked", async () => {
  fake.on("/props", (request) => {
    answerKey("right");
    return needsKey("right")(request);
  });

  assert.deepEqual(await getJson("/props"), { ok: true });
  assert.equal(keyWanted.value, false);
});

test("without a key the 401 is the error, and only what the user does asks again", async () => {
  fake.on("/props", needsKey("right"));
  const refused = failure(getJson("/props"));
  await becomes(keyWanted, Boolean);
  answerKey(null);
  assert.equal((await refused).status, 401);

  assert.equal((await failure(getJson("/props"))).status, 401);
  assert.equal(keyWanted.value, false);

  const posted = postJson("/props", {});
  await becomes(keyWanted, Boolean);
  answerKey("right");
  assert.deepEqual(await posted, { ok: true });
});

test("an abort does not wait for the key", async () => {
  fake.on("/props", needsKey("right"));
  const controller = new AbortController();
  const answer = failure(postJson("/props", {}, { signal: controller.signal }));
  await becomes(keyWanted, Boolean);

  controller.abort();

  assert.equal((await answer).name, "AbortError");
});

test("a chat gives its chunks up to the end, whatever the network's pieces are", async () => {
  const stream = streamOf(CHAT);
  const chunks = all(streamChat({ messages: [] }));
  await fake.asked(CHAT);
  const bytes = new TextEncoder().encode(
    ': ping\n\n: ping\r\n\r\ndata: {"a":"naïve 🐉"}\r\n\r\n: ping\n\nevent: x\ndata:{"b":\n:\ndata: 2}\n\ndata: [DONE]\n\n',
  );

  for (const byte of bytes) {
    stream.sendBytes(Uint8Array.of(byte));
  }

  assert.deepEqual(await chunks, [{ a: "naïve 🐉" }, { b: 2 }]);
  assert.deepEqual(fake.requests[0].body, { messages: [], stream: true });
  assert.equal(stream.isCancelled, true);
});

test("a chat from a server that says no [DONE] ends with its usage", async () => {
  const stream = streamOf(CHAT);
  const chunks = all(streamChat({ messages: [] }));
  await fake.asked(CHAT);

  stream.send({ choices: [{}], usage: null }, { choices: [], usage: { total_tokens: 3 } });
  stream.end();

  assert.equal((await chunks).length, 2);
});

test("a completion ends with the event that says so", async () => {
  const stream = streamOf("/completion");
  const events = all(streamCompletion({ prompt: "a" }));
  await fake.asked("/completion");

  stream.send({ content: "b", stop: false }, { content: "", stop: true });

  assert.deepEqual((await events).map(({ content }) => content), ["b", ""]);
});

for (const [name, path, start] of [
  ["chat", CHAT, streamChat],
  ["completion", "/completion", streamCompletion],
]) {
  test(`a ${name} that ends without its end is an error`, async () => {
    const stream = streamOf(path);
    const outcome = failure(all(start({})));
    await fake.asked(path);

    stream.send({ content: "a" });
    stream.sendBytes(new TextEncoder().encode('data: {"content":'));
    stream.end();

    assert.match((await outcome).message, /broke off/);
  });

  test(`a ${name} whose connection breaks is an error`, async () => {
    const stream = streamOf(path);
    const outcome = failure(all(start({})));
    await fake.asked(path);

    stream.breakOff();

    const error = await outcome;
    assert.ok(error instanceof ApiError);
    assert.match(error.message, /broke off/);
  });

  test(`an error inside a ${name} is thrown`, async () => {
    const stream = streamOf(path);
    const outcome = failure(all(start({})));
    await fake.asked(path);

    stream.send({ error: { code: 503, message: "the core went away", type: "unavailable_error" } });

    const { status, type, message } = await outcome;
    assert.deepEqual([status, type, message], [503, "unavailable_error", "the core went away"]);
  });

  test(`a ${name} with rubbish in it is an error`, async () => {
    for (const rubbish of ["{", "null", "5"]) {
      const stream = streamOf(path);
      const outcome = failure(all(start({})));
      await fake.asked(path);

      stream.sendBytes(new TextEncoder().encode(`data: ${rubbish}\n\n`));

      assert.match((await outcome).message, /not (a )?JSON/);
    }
  });

  test(`leaving a ${name} closes its connection`, async () => {
    const stream = streamOf(path);
    const events = start({});
    const first = events.next();
    await fake.asked(path);
    stream.send({ content: "a" });
    await first;

    await events.return();

    assert.equal(stream.isCancelled, true);
  });

  test(`an abort ends a ${name} as an abort`, async () => {
    const controller = new AbortController();
    const stream = streamOf(path);
    const outcome = failure(all(start({}, { signal: controller.signal })));
    await fake.asked(path);

    controller.abort();

    assert.equal((await outcome).name, "AbortError");
    assert.equal(stream.isCancelled, true);
  });
}
