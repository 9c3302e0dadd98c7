// What the monitor asks for, and what it makes of the answers.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { withoutShape } from "./fakes/server.js";
import { clock } from "../../rest_adapter/web/page/state/clock.js";
import { answerKey, apiKey, keyWanted } from "../../rest_adapter/web/page/state/key.js";
import {
  access,
  problem,
  reading,
  recent,
  samples,
  slots,
  startMonitor,
  stopMonitor,
} from "../../rest_adapter/web/page/state/monitor.js";
import { readMetrics, sampleBetween, slotFacts } from "../../rest_adapter/web/page/state/monitor_facts.js";
import { model, server } from "../../rest_adapter/web/page/state/server.js";
import { formatAgo, formatBytes, formatPart, formatUptime } from "../../rest_adapter/web/page/text/quantities.js";

const realClock = { ...clock };
const realFetch = globalThis.fetch;
const CONNECTING = server.value;
const READY = { ...CONNECTING, phase: "ready", text: "Ready." };
const MODEL = { id: "m.gguf", name: "m", offers: { metrics: null, slots: null } };
const FACTS = { start: 1000, first: 0, between: 0, batch: 0 };
const SLOT = { id: 0, state: 0, task_id: -1, prompt: null, next_token: { num_tokens_predicted: 0, n_remain: -1 } };
let nowMs;
let timers;
let whenWaiting;
let asked;
let answers;

beforeEach(() => {
  server.value = READY;
  model.value = MODEL;
  nowMs = 0;
  timers = [];
  asked = [];
  answers = { "/metrics": () => exposition(), "/slots": () => JSON.stringify([SLOT]) };
  Object.assign(clock, {
    now: () => nowMs,
    wallTime: () => 1_700_000_000_000 + nowMs,
    after: (delayMs, callback) => {
      const timer = { delayMs, callback };
      timers.push(timer);
      whenWaiting?.();
      return timer;
    },
    cancel: (timer) => (timers = timers.filter((other) => other !== timer)),
  });
  globalThis.fetch = async (url, { signal }) => {
    const path = withoutShape(url);
    asked.push(path);
    const answer = await answers[path.split("?")[0]]();
    signal.throwIfAborted();
    return typeof answer === "string" ? new Response(answer) : answer;
  };
});

afterEach(() => {
  stopMonitor();
  Object.assign(clock, realClock);
  globalThis.fetch = realFetch;
  apiKey.value = "";
  server.value = CONNECTING;
  model.value = null;
  [reading, slots].forEach((one) => (one.value = null));
  samples.value = [];
  problem.value = "";
});

test("the speed is that between two readings", async () => {
  await begin();
  answers["/metrics"] = () => exposition({ first: 2, between: 40, batch: 140 });
  await passes(2000);

  assert.deepEqual(samples.value, [{ fromMs: 0, atMs: 2000, generated: 21, prompt: 50 }]);
});

test("tokens tried ahead are no prompt", () => {
  const told = readMetrics(`${exposition({ first: 1, between: 40, batch: 130 })}${drafts(20, 10)}`, 0);

  assert.deepEqual(told.tokens, { generated: 41, prompt: 80, cached: null });
});

test("a server without distributions tells its counters", () => {
  const told = readMetrics("llamacpp:tokens_predicted_total 7\nllamacpp:prompt_tokens_total 9\n", 0);

  assert.deepEqual(told.tokens, { generated: 7, prompt: 9, cached: null });
});

test("a restart of the core begins the counters anew", () => {
  const before = readMetrics(exposition({ first: 10, between: 990, batch: 2000 }), 0);
  const fewer = readMetrics(exposition({ start: 2000, first: 1, between: 9, batch: 29 }), 1000);
  const more = readMetrics(exposition({ start: 2000, first: 20, between: 1980, batch: 3980 }), 1000);

  assert.deepEqual(sampleBetween(before, fewer), { fromMs: 0, atMs: 1000, generated: 10, prompt: 20 });
  assert.deepEqual(sampleBetween(before, more), { fromMs: 0, atMs: 1000, generated: 2000, prompt: 2000 });
});

test("counters that fell are a restart, also where the core does not tell its start", () => {
  const before = readMetrics("llamacpp:tokens_predicted_total 70\nllamacpp:prompt_tokens_total 90\n", 0);
  const after = readMetrics("llamacpp:tokens_predicted_total 7\nllamacpp:prompt_tokens_total 95\n", 1000);

  assert.deepEqual(sampleBetween(before, after), { fromMs: 0, atMs: 1000, generated: 7, prompt: 95 });
});

test("two readings at the same moment have no speed", () => {
  const told = readMetrics(exposition(), 5);

  assert.deepEqual(sampleBetween(told, told), { fromMs: 5, atMs: 5, generated: null, prompt: null });
});

test("five minutes are kept, and no more", async () => {
  await begin();
  for (let second = 1; second <= 400; second += 1) await passes(1000);

  assert.equal(samples.value.length, 300);
  assert.equal(samples.value.at(-1).atMs, 400_000);
});

test("times are those since the last start of the core", async () => {
  answers["/metrics"] = () => exposition({ first: 50, firstBelow: 0.1 });
  await begin();
  assert.equal(recent.value, null);
  answers["/metrics"] = () => exposition({ start: 2000, first: 4, firstBelow: 1 });
  await passes(1000);
  await passes(1000);
  answers["/metrics"] = () => exposition({ start: 2000, first: 8, firstBelow: 1 });
  await passes(1000);

  assert.deepEqual(recent.value.firstToken, { median: 0.55, high: 0.955, count: 4 });
});

test("metrics that are off are not asked for again, and the slots go on", async () => {
  answers["/metrics"] = () => refusal(404);
  await begin();
  await passes(1000);

  assert.deepEqual(access.value, { metrics: "off", slots: "on" });
  assert.deepEqual(asked, ["/metrics?keep_window", "/slots?progress", "/slots?progress"]);
  assert.equal(reading.value, null);
  assert.equal(problem.value, "");
});

test("what the server says it does not offer is not asked for", async () => {
  model.value = { ...MODEL, offers: { metrics: false, slots: true } };
  await begin();

  assert.deepEqual(access.value, { metrics: "off", slots: "on" });
  assert.deepEqual(asked, ["/slots?progress"]);
});

test("nothing is asked for before the server is known", async () => {
  model.value = null;
  startMonitor();
  await until(() => timers.length > 0);
  assert.deepEqual(asked, []);

  model.value = MODEL;
  await until(() => access.value.metrics === "on");
});

test("slots that are hidden are told, and the metrics go on", async () => {
  answers["/slots"] = () => refusal(501);
  await begin();

  assert.deepEqual(access.value, { metrics: "on", slots: "off" });
  assert.equal(slots.value, null);
});

test("what was off is asked for again when somebody looks again", async () => {
  answers["/metrics"] = () => refusal(404);
  await begin();
  stopMonitor();
  answers["/metrics"] = () => exposition();
  await begin();

  assert.equal(access.value.metrics, "on");
});

test("where both are off nothing is asked for any more", async () => {
  answers["/metrics"] = answers["/slots"] = () => refusal(404);
  startMonitor();
  await until(() => access.value.slots === "off");

  assert.deepEqual(timers, []);
});

test("where both were off everything is asked for when the server has come back", async () => {
  answers["/metrics"] = answers["/slots"] = () => refusal(404);
  startMonitor();
  await until(() => access.value.slots === "off");
  answers["/metrics"] = () => exposition();
  answers["/slots"] = () => JSON.stringify([SLOT]);
  server.value = { ...CONNECTING, phase: "unreachable", text: "The server cannot be reached." };
  server.value = { ...CONNECTING, phase: "ready", text: "Ready." };
  await until(() => access.value.slots === "on");

  assert.equal(access.value.metrics, "on");
});

test("a fault keeps the last values in view, and the next answer ends it", async () => {
  await begin();
  answers["/metrics"] = answers["/slots"] = () => Promise.reject(new TypeError("failed"));
  await passes(1000);

  assert.equal(problem.value, "The server cannot be reached.");
  assert.equal(slots.value.length, 1);
  assert.notEqual(reading.value, null);

  answers["/metrics"] = () => exposition();
  answers["/slots"] = () => JSON.stringify([SLOT, { ...SLOT, id: 1 }]);
  await passes(1000);
  assert.equal(problem.value, "");
  assert.equal(slots.value.length, 2);
});

test("a server that cannot be reached is not asked", async () => {
  await begin();
  asked = [];
  server.value = { ...CONNECTING, phase: "unreachable", text: "The server cannot be reached." };
  await passes(1000);

  assert.deepEqual(asked, []);
  assert.equal(problem.value, "The server cannot be reached.");
});

test("a server that loads its model tells how far it is", async () => {
  server.value = { ...CONNECTING, phase: "loading", text: "The server is loading its model." };
  answers["/metrics"] = () => "slotline_model_load_ratio 0.25\n";
  await begin();

  assert.deepEqual(asked, ["/metrics?keep_window"]);
  assert.equal(reading.value.loadRatio, 0.25);
});

test("what was off is asked for again when the server was away", async () => {
  answers["/metrics"] = () => refusal(404);
  await begin();
  answers["/slots"] = () => refusal(503);
  await passes(1000);
  answers["/metrics"] = () => exposition();
  answers["/slots"] = () => JSON.stringify([SLOT]);
  await passes(1000);

  assert.deepEqual(access.value, { metrics: "on", slots: "on" });
});

test("without a key nothing is asked for until there is one", async () => {
  answers["/metrics"] = answers["/slots"] = () => refusal(401);
  startMonitor();
  await until(() => keyWanted.value);
  answerKey(null);
  await until(() => access.value.slots === "denied");
  assert.deepEqual(timers, []);

  answers["/metrics"] = () => exposition();
  answers["/slots"] = () => JSON.stringify([SLOT]);
  apiKey.value = "right";
  await until(() => access.value.slots === "on");
  assert.deepEqual(access.value, { metrics: "on", slots: "on" });
});

test("a slow server is asked less often", async () => {
  answers["/slots"] = () => {
    nowMs += 800;
    return JSON.stringify([SLOT]);
  };
  await begin();

  assert.equal(timers.at(-1).delayMs, 3200);
});

test("an answer that comes after the end is not shown", async () => {
  let give;
  answers["/slots"] = () => new Promise((resolve) => (give = resolve));
  startMonitor();
  await until(() => give);
  stopMonitor();
  give(JSON.stringify([SLOT]));
  await until(() => asked.length === 2);

  assert.equal(slots.value, null);
  assert.deepEqual(timers, []);
});

test("nothing is asked for twice when the monitor is started twice", async () => {
  const waits = nextWait();
  startMonitor();
  startMonitor();
  await waits;

  assert.equal(asked.length, 2);
});

for (const [what, slot, facts] of [
  ["an idle slot has no progress", SLOT, { activity: "idle", taskId: null, progress: null }],
  [
    "a slot that generates tells how far it is",
    { ...SLOT, state: 1, task_id: 7, next_token: { num_tokens_predicted: 30, n_remain: 90 } },
    { activity: "generating", taskId: 7, nGenerated: 30, limit: 120, progress: 0.25 },
  ],
  [
    "a slot without a limit tells its tokens only",
    { ...SLOT, state: 1, task_id: 7, next_token: { num_tokens_predicted: 30, n_remain: -1 } },
    { activity: "generating", nGenerated: 30, limit: null, progress: null },
  ],
  [
    "a slot that reads its prompt tells how far it is, if the server does",
    { ...SLOT, state: 1, n_prompt_tokens: 400, n_prompt_tokens_processed: 100 },
    { activity: "prompt", nPrompt: 400, nPromptDone: 100, progress: 0.25 },
  ],
  ["a slot that reads its prompt may not tell how far", { ...SLOT, state: 1 }, { activity: "prompt", progress: null }],
  [
    "of a conversation the newest message is shown",
    { ...SLOT, prompt: [{ role: "system", content: "Be brief." }, { role: "user", content: "Hello,\n  you" }] },
    { promptStart: "Hello, you" },
  ],
  ["of a prompt in parts the first text is shown", { ...SLOT, prompt: [1, 2, "Hello"] }, { promptStart: "Hello" }],
  ["token ids are counted", { ...SLOT, prompt: [1, 2, 3] }, { promptStart: "3 token ids" }],
  ["a long prompt is shortened", { ...SLOT, prompt: "a".repeat(5000) }, { promptStart: `${"a".repeat(120)}\u2026` }],
]) {
  test(what, () => {
    const told = slotFacts(slot);
    assert.deepEqual(Object.fromEntries(Object.keys(facts).map((name) => [name, told[name]])), facts);
  });
}

for (const [format, value, text] of [
  [formatBytes, 812, "812 bytes"],
  [formatBytes, 3.4 * 1024 ** 2, "3.4 MB"],
  [formatBytes, 120 * 1024 ** 3, "120 GB"],
  [formatPart, 0, "0%"],
  [formatPart, 0.0004, "under 0.1%"],
  [formatPart, 0.004, "0.4%"],
  [formatPart, 0.999, "99%"],
  [formatPart, 1, "100%"],
  [formatUptime, -3, "0 s"],
  [formatUptime, 59.9, "59 s"],
  [formatUptime, 3 * 3600 + 12 * 60, "3 h 12 min"],
  [formatUptime, 2 * 86400 + 4 * 3600, "2 d 4 h"],
  [formatAgo, 0, "now"],
  [formatAgo, 42_000, "42 s ago"],
  [formatAgo, 120_000, "2 min ago"],
  [formatAgo, 125_000, "2 min 5 s ago"],
]) {
  test(`${format.name} of ${value} is ${text}`, () => assert.equal(format(value), text));
}

/** Starts the monitor and waits for its first answers. */
async function begin() {
  const waits = nextWait();
  startMonitor();
  await waits;
}

/** Lets time pass, and waits until the monitor has asked and waits again. */
async function passes(ms) {
  const waits = nextWait();
  nowMs += ms;
  timers.shift().callback();
  await waits;
}

function nextWait() {
  return new Promise((resolve) => (whenWaiting = resolve));
}

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  // What was begun by then may still have to come to its end.
  await new Promise((resolve) => setImmediate(resolve));
}

function exposition(facts = {}) {
  const { start, first, between, batch, firstBelow = 1 } = { ...FACTS, ...facts };
  return `slotline_start_time_seconds ${start}
slotline_time_to_first_token_seconds_bucket{le="0.1"} ${firstBelow > 0.1 ? 0 : first}
slotline_time_to_first_token_seconds_bucket{le="1.0"} ${first}
slotline_time_to_first_token_seconds_bucket{le="+Inf"} ${first}
slotline_time_to_first_token_seconds_count ${first}
slotline_inter_token_seconds_count ${between}
slotline_batch_tokens_sum ${batch}
`;
}

function drafts(drafted, accepted) {
  return `slotline_drafted_tokens_total ${drafted}\nslotline_accepted_tokens_total ${accepted}\n`;
}

function refusal(status) {
  return new Response(JSON.stringify({ error: { code: status, message: "no", type: "error" } }), { status });
}
