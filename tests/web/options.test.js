import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeClock } from "./fakes/clock.js";
import { FakeStorage } from "./fakes/storage.js";

const time = new FakeClock().install();
globalThis.localStorage = new FakeStorage();
localStorage.setItem("slotline.options", JSON.stringify({ top_k: 7, top_p: 9, gone: 1 }));
const { OPTIONS, accepts, allowedValues, optionOf } = await import(
  "../../rest_adapter/web/page/state/option_table.js"
);
const { changedOptions, grammar, options, requestFields, resetOptions, setOption, setOptions } = await import(
  "../../rest_adapter/web/page/state/options.js"
);
const { serverDefaults } = await import("../../rest_adapter/web/page/state/server.js");
const kept = { ...options.value };

// As GET /props tells them: numbers are 32-bit floats.
const TOLD = {
  dynatemp_exponent: 1.0,
  dynatemp_range: 0.0,
  frequency_penalty: 0.0,
  grammar: "",
  ignore_eos: false,
  logit_bias: [],
  min_keep: 0,
  min_p: 0.05000000074505806,
  mirostat: 0,
  mirostat_eta: 0.10000000149011612,
  mirostat_tau: 5.0,
  n_ctx: 1024,
  n_keep: 0,
  n_predict: -1,
  n_probs: 0,
  penalize_nl: true,
  penalty_prompt_tokens: [],
  presence_penalty: 0.0,
  repeat_last_n: 64,
  repeat_penalty: 1.100000023841858,
  samplers: ["top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature"],
  seed: -1,
  stop: [],
  temperature: 0.800000011920929,
  tfs_z: 1.0,
  top_k: 40,
  top_p: 0.949999988079071,
  typical_p: 1.0,
};

beforeEach(() => {
  resetOptions();
  serverDefaults.value = null;
});

test("what is stored counts as far as it is allowed", () => {
  assert.equal(kept.top_k, 7);
  assert.equal(kept.top_p, 0.95);
  assert.equal("gone" in kept, false);
});

for (const option of OPTIONS) {
  test(`${option.name} is described, and its default is allowed`, () => {
    assert.match(option.hint, /^[A-Z].*\.$/);
    assert.notEqual(option.label, "");
    assert.equal(accepts(option, option.default), true);
    assert.equal(optionOf(option.name), option);
  });
}

for (const [name, value] of [
  ["temperature", "1"],
  ["temperature", NaN],
  ["temperature", -1],
  ["repeat_penalty", 0],
  ["top_k", 1.5],
  ["seed", 2 ** 32],
  ["penalize_nl", 1],
  ["mirostat", 3],
  ["stop", "a"],
  ["stop", [1]],
  ["samplers", ["best"]],
  ["logit_bias", [["a"]]],
  ["logit_bias", [["", 1]]],
  ["logit_bias", [[-1, 1]]],
  ["logit_bias", [["a", true]]],
  ["logit_bias", [["a", 1e39]]],
]) {
  test(`${name} cannot be ${JSON.stringify(value)}`, () => {
    const before = options.value;

    assert.throws(() => setOption(name, value), (error) => {
      assert.ok(error instanceof RangeError);
      assert.equal(error.message, `${name}: ${JSON.stringify(value)} is not ${allowedValues(optionOf(name))}.`);
      return true;
    });
    assert.deepEqual(options.value, before);
  });
}

test("an unknown option is refused, and nothing of what comes with it is set", () => {
  assert.throws(() => setOptions({ top_k: 5, top_q: 1 }), /^RangeError: top_q is not an option; options are n_pre/);
  assert.equal(options.value.top_k, 40);
});

test("changed options are named until they are as before, and kept", () => {
  setOption("top_k", 5);
  setOption("stop", ["a"]);
  assert.deepEqual(changedOptions.value, ["stop", "top_k"]);
  time.advance(1000);
  assert.deepEqual(JSON.parse(localStorage.getItem("slotline.options")), { top_k: 5, stop: ["a"] });

  setOption("top_k", 40);
  setOption("stop", []);
  assert.deepEqual(changedOptions.value, []);
});

for (const told of [null, TOLD]) {
  test(`a request has what differs from the server ${told ? "as it tells" : "as it is known"}`, () => {
    serverDefaults.value = told;
    assert.deepEqual(requestFields(), { n_predict: 1024, temperature: 0.7, top_p: 0.95 });

    setOption("temperature", 0.8);
    setOption("n_predict", -1);
    assert.deepEqual(requestFields(), { temperature: 0.8, top_p: 0.95 });
  });
}

test("a server with another default gets the value that the page shows", () => {
  serverDefaults.value = { ...TOLD, repeat_penalty: 1.2999999523162842 };

  assert.equal(requestFields().repeat_penalty, 1.1);
});

test("every option reaches the request in the API's form", () => {
  const values = {
    n_predict: 5,
    stop: ["a\\nb", "", "\\\\n"],
    ignore_eos: true,
    timeout_s: 30,
    temperature: 0,
    dynatemp_range: 0.5,
    dynatemp_exponent: 2,
    seed: 42,
    top_k: 0,
    top_p: 1,
    min_p: 0,
    tfs_z: 0.5,
    typical_p: 0.5,
    min_keep: 1,
    samplers: [],
    repeat_penalty: 1,
    repeat_last_n: -1,
    frequency_penalty: 1,
    presence_penalty: -1,
    penalize_nl: false,
    penalty_prompt: ["one", "two"],
    mirostat: 2,
    mirostat_tau: 4,
    mirostat_eta: 0.2,
    n_probs: 3,
    logit_bias: [["a", false], [5, -1.5]],
    n_keep: -1,
    cache_prompt: false,
    slot_id: 1,
    enable_thinking: false,
    reasoning_effort: "low",
    reasoning_budget_tokens: 0,
    dry_sequence_breakers: ["\\n", "\\t:"],
  };
  for (const option of OPTIONS) {
    // Numbers that are newer than this test.
    values[option.name] ??= option.default === option.max ? option.min : option.max;
  }
  assert.deepEqual(Object.keys(values).sort(), OPTIONS.map(({ name }) => name).sort());

  setOptions(values);
  grammar.value = 'root ::= "a"';

  assert.deepEqual(requestFields({ isChat: true }), {
    ...values,
    stop: ["a\nb", "\\n"],
    penalty_prompt: "one\ntwo",
    dry_sequence_breakers: ["\n", "\t:"],
    grammar: 'root ::= "a"',
  });
});

test("line breaks of defaults are shown so that a line can hold them, and are not sent", () => {
  assert.deepEqual(options.value.dry_sequence_breakers, ["\\n", ":", '"', "*"]);
  serverDefaults.value = { dry_sequence_breakers: ["\n", ":", '"', "*"] };
  assert.equal("dry_sequence_breakers" in requestFields(), false);

  serverDefaults.value = { dry_sequence_breakers: ["\n"] };
  assert.deepEqual(requestFields().dry_sequence_breakers, ["\n", ":", '"', "*"]);
});

test("completions get no option that only chats know", () => {
  setOptions({ enable_thinking: true, reasoning_effort: "high", reasoning_budget_tokens: 5, seed: 1 });

  assert.deepEqual(requestFields(), { n_predict: 1024, temperature: 0.7, top_p: 0.95, seed: 1 });
});

test("a grammar of blanks is none, and a reset takes the grammar along", () => {
  grammar.value = " \n";
  assert.equal("grammar" in requestFields(), false);

  grammar.value = "root ::= [a]";
  resetOptions();
  assert.equal(grammar.value, "");
});
