import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeClock } from "./fakes/clock.js";
import { FakeServer, FakeStream, refusal } from "./fakes/server.js";
import { FakeStorage } from "./fakes/storage.js";
import { until } from "./fakes/wait.js";

const time = new FakeClock().install();
globalThis.localStorage = new FakeStorage();
localStorage.setItem("slotline.completion", "kept");
const STATE = "../../rest_adapter/web/page/state";
const {
  canUndoGenerate,
  completionResult,
  completionRunning,
  completionText,
  generate,
  stopGenerating,
  undoGenerate,
} = await import(`${STATE}/completion_session.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { schemaOn, schemaProblem, schemaText } = await import(`${STATE}/schema.js`);
const keptText = completionText.value;

const FINAL = {
  content: "",
  stop: true,
  stopped_limit: true,
  tokens_predicted: 3,
  tokens_evaluated: 10,
  timings: { predicted_per_second: 50, prompt_n: 4 },
};
let fake;
let stream;

beforeEach(() => {
  fake = new FakeServer().install();
  stream = new FakeStream();
  fake.on("/completion", (request) => stream.response(request));
  completionText.value = "Once";
  notes.value = [];
  // Frames that were due at the end of the last test.
  time.paint();
});

const event = (content, more = {}) => ({ content, stop: false, slot_id: 0, ...more });

async function run(...events) {
  const ended = generate();
  stream.send(...events, FINAL);
  await ended;
}

test("the text of the last visit is there", () => {
  assert.equal(keptText, "kept");
});

test("a run goes on with the text, and tells its figures", async () => {
  const ended = generate();
  const { body } = await fake.asked("/completion");
  time.advance(100);
  stream.send(event(" upon", { completion_probabilities: [{ content: " upon", probs: [] }] }), event(" a"), {
    ...FINAL,
    completion_probabilities: [{ content: " upon", probs: [] }],
  });
  assert.equal(await ended, true);
  time.paint();
  time.advance(1000);

  assert.deepEqual(body, { prompt: "Once", n_predict: 1024, temperature: 0.7, top_p: 0.95, stream: true });
  assert.equal(completionText.value, "Once upon a");
  assert.deepEqual(completionResult.value, {
    start: 4,
    tokens: [{ text: " upon", probs: [] }],
    statistics: {
      nTokens: 3,
      nPromptTokens: 10,
      nCachedTokens: 6,
      tokensPerSecond: 50,
      firstTokenMs: 100,
      totalMs: 100,
    },
  });
  assert.equal(localStorage.getItem("slotline.completion"), "Once upon a");
});

test("the text is published once per frame", async () => {
  const ended = generate();
  const published = [];
  const leave = completionText.subscribe((text) => published.push(text));
  stream.send(event("a"), event("b"));
  await until(() => time.nFrames > 0);
  time.paint();
  stream.send(event("c"), FINAL);
  await ended;
  leave();

  assert.deepEqual(published, ["Once", "Onceab", "Onceabc"]);
});

test("a stop keeps what came, and closes the connection", async () => {
  const ended = generate();
  stream.send(event(" upon"));
  await until(() => time.nFrames > 0);

  await stopGenerating();
  await ended;

  assert.equal(stream.isCancelled, true);
  assert.equal(completionText.value, "Once upon");
  assert.equal(completionResult.value.statistics.nTokens, 1);
  assert.equal(completionRunning.value, false);
  assert.deepEqual(notes.value, []);
});

test("a second run has to wait for the end of the first", async () => {
  const ended = generate();

  assert.equal(await generate(), false);

  stream.send(FINAL);
  await ended;
  assert.equal(fake.requests.length, 1);
});

test("an error is noted, and keeps what came", async () => {
  const ended = generate();
  stream.send(event(" upon"), { error: { code: 503, message: "the core is gone", type: "unavailable_error" } });
  await ended;

  assert.equal(completionText.value, "Once upon");
  assert.equal(notes.value[0].text, "The core is gone.");
});

test("a refusal says when to try again", async () => {
  fake.on("/completion", () => refusal(429, "try later", "rate_limit_error", { "Retry-After": "2" }));

  await generate();

  assert.equal(notes.value[0].text, "Try later. Try again in 2 seconds.");
  assert.equal(completionText.value, "Once");
});

test("a run can be undone once, whatever was edited since", async () => {
  await run(event(" upon"));
  completionText.value += " edited";

  undoGenerate();
  assert.equal(completionText.value, "Once");
  assert.equal(completionResult.value, null);
  assert.equal(canUndoGenerate.value, false);

  completionText.value = "Other";
  undoGenerate();
  assert.equal(completionText.value, "Other");
});

test("nothing is undone while a run goes on", async () => {
  const ended = generate();

  undoGenerate();

  assert.equal(completionRunning.value, true);
  stream.send(event("!"), FINAL);
  await ended;
  assert.equal(completionText.value, "Once!");
});

test("a schema is sent along, and what the server says of it is told at its field", async (t) => {
  t.after(() => (schemaOn.value = false));
  schemaText.value = '{"type": "object"}';
  schemaOn.value = true;
  await run(event("{}"));
  assert.deepEqual(fake.requestsTo("/completion")[0].body.json_schema, { type: "object" });

  fake.on("/completion", () => refusal(400, "json_schema: /type is odd"));
  await generate();
  assert.equal(schemaProblem.value, "/type is odd");

  schemaText.value = "{";
  assert.equal(await generate(), false);
  assert.equal(fake.requestsTo("/completion").length, 2);
});
