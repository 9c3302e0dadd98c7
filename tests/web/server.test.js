import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { FakeClock } from "./fakes/clock.js";
import { FakeServer, json, refusal } from "./fakes/server.js";
import { becomes, until } from "./fakes/wait.js";
import { answerKey, apiKey, keyRefused, keyWanted } from "../../rest_adapter/web/page/state/key.js";
import {
  checkServer,
  model,
  server,
  serverDefaults,
  startWatching,
  stopWatching,
} from "../../rest_adapter/web/page/state/server.js";

const READY = { status: "ok", slots_idle: 2, slots_processing: 0 };
const PROPS_PATH = "/props?server";
const PROPS = {
  build_info: "slotline 1.0",
  default_generation_settings: { n_ctx: 1024, temperature: 0.5 },
  endpoint_metrics: true,
  endpoint_slots: false,
  total_slots: 2,
};
let time;
let fake;

beforeEach(() => {
  time = new FakeClock().install();
  fake = new FakeServer().install();
  fake.on("/health", () => json(READY));
  fake.on("/v1/models", () => json({ data: [{ id: "/models/Smol.Q4.gguf" }] }));
  fake.on(PROPS_PATH, () => json(PROPS));
  apiKey.value = "";
  keyRefused.value = false;
  model.value = null;
  serverDefaults.value = null;
  server.value = { phase: "connecting", slotsIdle: 0, slotsProcessing: 0, text: "" };
});

afterEach(() => {
  stopWatching();
  delete globalThis.document;
});

for (const [status, body, phase] of [
  [200, READY, "ready"],
  [200, { status: "no slot available", slots_idle: 0, slots_processing: 2 }, "ready"],
  [503, { status: "loading model" }, "loading"],
  [503, { status: "stalled" }, "loading"],
  [503, { status: "no slot available", slots_idle: 0, slots_processing: 2 }, "loading"],
  [500, { status: "error" }, "failed"],
  [502, {}, "unreachable"],
]) {
  test(`an answer ${status} ${JSON.stringify(body)} means ${phase}`, async () => {
    fake.on("/health", () => json(body, status));
    startWatching();

    const shown = await becomes(server, (state) => state.phase !== "connecting");

    assert.equal(shown.phase, phase);
    assert.equal(shown.slotsProcessing, phase === "ready" ? (body.slots_processing ?? 0) : 0);
    assert.match(shown.text, /^[A-Z].*\.$/);
  });
}

test("no answer, and one of a proxy that is no JSON, mean unreachable", async () => {
  fake.on("/health", () => Promise.reject(new TypeError("fetch failed")));
  startWatching();
  await becomes(server, ({ phase }) => phase === "unreachable");

  fake.on("/health", () => json(READY));
  time.advance(500);
  await becomes(server, ({ phase }) => phase === "ready");

  fake.on("/health", () => new Response("<html>", { status: 502 }));
  time.advance(2000);
  await becomes(server, ({ phase }) => phase === "unreachable");
});

test("a server that does not answer at all is given up after a while", async () => {
  fake.on("/health", () => new Promise(() => {}));
  startWatching();

  time.advance(5000);

  await becomes(server, ({ phase }) => phase === "unreachable");
});

test("the model and the defaults come with the first ready state", async () => {
  startWatching();

  const known = await becomes(model, (value) => value !== null);

  assert.deepEqual(known, {
    id: "/models/Smol.Q4.gguf",
    name: "Smol.Q4",
    nCtxTrain: null,
    nSlots: 2,
    nCtxSlot: 1024,
    canSee: false,
    version: "slotline 1.0",
    offers: { metrics: true, slots: false },
  });
  assert.deepEqual(serverDefaults.value, PROPS.default_generation_settings);
});

test("a core that comes back with another model is asked again", async () => {
  startWatching();
  await becomes(model, (value) => value !== null);
  fake.on("/health", () => json({ status: "loading model" }, 503));
  await until(() => time.waits.includes(2000));
  time.advance(2000);
  await becomes(server, ({ phase }) => phase === "loading");

  fake.on("/v1/models", () => json({ data: [{ id: "other" }] }));
  fake.on(PROPS_PATH, () => json({ ...PROPS, n_ctx_train: 8192, modalities: { vision: true } }));
  fake.on("/health", () => json(READY));
  await until(() => time.waits.includes(500));
  time.advance(500);

  const known = await becomes(model, ({ name }) => name === "other");
  assert.deepEqual([known.nCtxTrain, known.canSee], [8192, true]);
});

test("while the user is asked for a key the state goes on, and the key brings the defaults", async () => {
  fake.on(PROPS_PATH, ({ headers }) =>
    headers.Authorization === "Bearer right" ? json(PROPS) : refusal(401, "Invalid API Key", "authentication_error"),
  );
  startWatching();
  await becomes(keyWanted, Boolean);
  fake.on("/health", () => json({ ...READY, slots_idle: 1, slots_processing: 1 }));
  await until(() => time.waits.includes(2000));
  time.advance(2000);
  await becomes(server, ({ slotsProcessing }) => slotsProcessing === 1);

  answerKey("right");

  await becomes(serverDefaults, (value) => value !== null);
});

test("without a key the model's name is shown all the same, and nobody is asked twice", async () => {
  fake.on(PROPS_PATH, () => refusal(401, "Invalid API Key", "authentication_error"));
  startWatching();
  await becomes(keyWanted, Boolean);

  answerKey(null);

  await becomes(model, (value) => value?.name === "Smol.Q4");
  assert.equal(keyWanted.value, false);
});

test("a page out of sight asks nothing, and asks at once when it is seen again", async () => {
  globalThis.document = Object.assign(new EventTarget(), { hidden: true });
  startWatching();
  await becomes(model, (value) => value !== null);
  assert.deepEqual(time.waits, []);

  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));

  assert.equal(fake.requestsTo("/health").length, 2);
  await until(() => time.waits.includes(2000));
});

test("whoever saw a failure can have the state asked for at once", async () => {
  checkServer();
  assert.deepEqual(fake.requests, []);
  startWatching();
  await until(() => time.waits.includes(2000));
  fake.on("/health", () => json({ status: "loading model" }, 503));

  checkServer();

  await becomes(server, ({ phase }) => phase === "loading");
  await until(() => time.waits.includes(500));
  assert.deepEqual(time.waits, [500]);
});

test("after the end of watching nothing is asked", async () => {
  startWatching();
  await becomes(model, (value) => value !== null);
  await until(() => time.waits.includes(2000));

  stopWatching();

  assert.deepEqual(time.waits, []);
});
