// The official OpenAI client of npm against a running server.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import OpenAI from "openai";

const url = process.env.SLOTLINE_URL;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 60_000 });
const question = [{ role: "user", content: "What is the capital of Germany?" }];
const greedy = { model: "any", messages: question, max_tokens: 24, temperature: 0 };
// Longer than any test waits.
const endless = { model: "any", prompt: "1, 2, 3,", ignore_eos: true, n_predict: 100_000 };

async function requestsRunning() {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^llamacpp:requests_processing (\d+)/m.exec(text)[1]);
}

async function waitForRequests(number) {
  const deadline = Date.now() + 60_000;
  while ((await requestsRunning()) !== number) {
    assert.ok(Date.now() < deadline, `never ${number} requests at the same time`);
    await pause(20);
  }
}

after(() => waitForRequests(0));

test("a chat", async () => {
  const answer = await client.chat.completions.create(greedy);
  assert.equal(answer.object, "chat.completion");
  assert.match(answer.id, /^chatcmpl-/);
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.match(answer.choices[0].message.content, /Berlin/);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("a streamed chat", async () => {
  const stream = await client.chat.completions.create({
    ...greedy,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const usage = chunks.pop();
  assert.deepEqual(usage.choices, []);
  assert.equal(usage.usage.total_tokens, usage.usage.prompt_tokens + usage.usage.completion_tokens);
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  assert.match(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), /Berlin/);
  assert.deepEqual(
    chunks.map((chunk) => chunk.choices[0].finish_reason),
    [...Array(chunks.length - 1).fill(null), "stop"],
  );
  assert.equal(new Set([...chunks, usage].map((chunk) => chunk.id)).size, 1);
});

test("the stream helper", async () => {
  const helper = client.chat.completions.stream(greedy);
  let text = "";
  helper.on("content", (delta) => (text += delta));
  const whole = await helper.finalChatCompletion();
  assert.equal(whole.choices[0].message.content, text);
  assert.match(text, /Berlin/);
  assert.equal(whole.choices[0].finish_reason, "stop");
});

test("a completion of several prompts, streamed and not", async () => {
  const body = { model: "any", prompt: ["A, B, C, D,", "1, 2, 3,"], max_tokens: 6, temperature: 0, repeat_penalty: 1 };
  const whole = await client.completions.create(body);
  assert.deepEqual(
    whole.choices.map((choice) => [choice.index, choice.text, choice.finish_reason]),
    [
      [0, " E, F, G,", "length"],
      [1, " 4, 5,", "length"],
    ],
  );
  const texts = ["", ""];
  for await (const chunk of await client.completions.create({ ...body, stream: true })) {
    for (const choice of chunk.choices) texts[choice.index] += choice.text;
  }
  assert.deepEqual(texts, [" E, F, G,", " 4, 5,"]);
});

test("embeddings", async () => {
  // Without encoding_format this client asks for base64 and unpacks it.
  const packed = await client.embeddings.create({ model: "any", input: ["hello", "world"] });
  const floats = await client.embeddings.create({ model: "any", input: "hello", encoding_format: "float" });
  assert.deepEqual(packed.data.map((item) => item.index), [0, 1]);
  assert.deepEqual(packed.data.map((item) => item.embedding.length), [576, 576]);
  floats.data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - packed.data[0].embedding[i]) < 1e-2));
  assert.equal(packed.usage.prompt_tokens, packed.usage.total_tokens);
});

test("models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.equal(ids.length, 1);
  const model = await client.models.retrieve(ids[0]);
  assert.equal(model.id, ids[0]);
  assert.equal(model.object, "model");
});

test("a wrong value is a BadRequestError that names the field", async () => {
  await assert.rejects(client.chat.completions.create({ ...greedy, max_tokens: "many" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.status, 400);
    assert.equal(error.type, "invalid_request_error");
    assert.match(error.message, /max_tokens.*many/);
    return true;
  });
});

test("a path that does not exist is a NotFoundError", async () => {
  await assert.rejects(client.get("/no/such/path"), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.type, "not_found_error");
    assert.match(error.message, /no\/such\/path/);
    return true;
  });
});

test("a time limit of the server is an InternalServerError", async () => {
  await assert.rejects(client.completions.create({ ...endless, timeout_s: 0.1 }), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError);
    assert.equal(error.status, 504);
    assert.equal(error.type, "timeout_error");
    return true;
  });
});

test("an error in the middle of a stream is thrown by the iteration", async () => {
  const stream = await client.completions.create({ ...endless, timeout_s: 0.5, stream: true });
  let text = "";
  await assert.rejects(
    async () => {
      for await (const chunk of stream) text += chunk.choices[0].text;
    },
    (error) => error instanceof OpenAI.APIError && /time limit/.test(error.message),
  );
  assert.notEqual(text, "");
});

test("an AbortController ends a stream and frees its slot", async () => {
  const controller = new AbortController();
  const stream = await client.completions.create({ ...endless, stream: true }, { signal: controller.signal });
  let chunks = 0;
  for await (const chunk of stream) {
    assert.equal(chunk.object, "text_completion");
    if (++chunks === 3) controller.abort();
  }
  // What had arrived by then may still be read.
  assert.ok(chunks >= 3);
  await waitForRequests(0);
});

test("leaving the loop frees the slot, too", async () => {
  for await (const chunk of await client.completions.create({ ...endless, stream: true })) {
    assert.equal(chunk.choices.length, 1);
    break;
  }
  await waitForRequests(0);
});

test("an aborted request without stream is an APIUserAbortError and frees its slot", async () => {
  const controller = new AbortController();
  const asking = assert.rejects(
    client.completions.create(endless, { signal: controller.signal }),
    OpenAI.APIUserAbortError,
  );
  await waitForRequests(1);
  controller.abort();
  await asking;
  await waitForRequests(0);
});
