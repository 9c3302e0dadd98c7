import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeClock } from "./fakes/clock.js";
import { FakeStorage } from "./fakes/storage.js";

const time = new FakeClock().install();
globalThis.localStorage = new FakeStorage();
const { accepts, optionOf } = await import("../../rest_adapter/web/page/state/option_table.js");
const { options, resetOptions, setOption } = await import("../../rest_adapter/web/page/state/options.js");
const MODULE = "../../rest_adapter/web/page/state/presets.js";
const { applyPreset, currentPreset, deletePreset, presets, savePreset } = await import(MODULE);

beforeEach(() => {
  for (const { id, isBuiltIn } of presets.value) {
    if (!isBuiltIn) {
      deletePreset(id);
    }
  }
  resetOptions();
});

test("the page begins with the balanced preset", () => {
  assert.deepEqual(presets.value.map(({ name }) => name), ["Balanced", "Precise", "Creative", "Deterministic"]);
  assert.equal(currentPreset.value, "balanced");
});

for (const { id, name, options: wanted } of presets.value) {
  test(`the preset ${name} can be applied and is known again`, () => {
    for (const [option, value] of Object.entries(wanted)) {
      assert.equal(accepts(optionOf(option), value), true, option);
    }
    setOption("top_k", 3);

    applyPreset(id);

    assert.equal(currentPreset.value, id);
  });
}

test("a built-in preset leaves alone what is not about choosing tokens", () => {
  setOption("seed", 5);
  setOption("stop", ["a"]);
  setOption("mirostat", 2);

  applyPreset("precise");

  assert.deepEqual([options.value.seed, options.value.stop, options.value.mirostat], [5, ["a"], 0]);
});

test("an option that differs makes the options nobody's preset", () => {
  setOption("temperature", 0.33);

  assert.equal(currentPreset.value, null);
});

test("a preset of one's own brings back all options, and is kept", async () => {
  setOption("temperature", 0.33);
  setOption("stop", ["a"]);
  const id = savePreset(" Mine ");
  resetOptions();
  time.advance(1000);

  applyPreset(id);

  assert.deepEqual([options.value.temperature, options.value.stop], [0.33, ["a"]]);
  assert.equal(currentPreset.value, id);
  const later = await import(`${MODULE}?later`);
  assert.deepEqual(later.presets.value.at(-1), presets.value.at(-1));
  assert.equal(later.presets.value.at(-1).name, "Mine");
});

test("saving under the same name replaces, under a built-in or impossible name is refused", () => {
  const id = savePreset("Mine");
  setOption("top_k", 3);

  assert.equal(savePreset("Mine"), id);
  assert.equal(presets.value.filter(({ isBuiltIn }) => !isBuiltIn).length, 1);
  assert.equal(presets.value.at(-1).options.top_k, 3);
  assert.throws(() => savePreset("precise"), /RangeError: precise is a built-in preset/);
  assert.throws(() => savePreset("  "), RangeError);
  assert.throws(() => savePreset("x".repeat(61)), /61/);
});

test("of two presets that say the same the one that was chosen last is the current one", () => {
  const id = savePreset("Mine");
  assert.equal(currentPreset.value, id);

  applyPreset("balanced");

  assert.equal(currentPreset.value, "balanced");
});

test("deleting forgets a preset and keeps the options; built-in ones stay", () => {
  setOption("top_k", 3);
  const id = savePreset("Mine");

  deletePreset(id);

  assert.equal(options.value.top_k, 3);
  assert.equal(currentPreset.value, null);
  assert.throws(() => deletePreset("balanced"), RangeError);
  assert.throws(() => applyPreset(id), RangeError);
});

test("presets that are not what they should be count as none", async () => {
  for (const [i, rubbish] of [{}, [5], [{ id: "a", name: "A", isBuiltIn: false, options: { top_k: "x" } }]].entries()) {
    localStorage.setItem("slotline.presets", JSON.stringify(rubbish));

    assert.equal((await import(`${MODULE}?rubbish=${i}`)).presets.value.length, 4);
  }
});
