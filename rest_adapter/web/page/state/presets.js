/** Presets: sets of options with a name. */

import { computed, signal } from "../../vendor/signals-core.js";
import { newId } from "./ids.js";
import { OPTIONS, accepts } from "./option_table.js";
import { isSame, options, setOptions } from "./options.js";
import { kept } from "./storage.js";

const MOST_NAME_LETTERS = 60;
// The built-in ones decide how tokens are chosen, and leave alone what the user set about anything else.
const DECIDED = OPTIONS.filter(
  ({ name, group }) => ["Randomness", "Truncation", "Repetition", "Mirostat"].includes(group) && name !== "seed",
);

const BUILT_IN = [
  builtIn("balanced", "Balanced", {}),
  builtIn("precise", "Precise", { temperature: 0.2, top_k: 20, top_p: 0.9 }),
  builtIn("creative", "Creative", { temperature: 1.1, top_k: 100, top_p: 1, min_p: 0.08, repeat_penalty: 1.05 }),
  builtIn("deterministic", "Deterministic", { temperature: 0, top_k: 1 }),
];

const own = kept("slotline.presets", [], { accepts: isPresetList, isShared: true });
// Where two presets say the same, the one that was chosen last.
const lastApplied = signal("");

/**
 * All presets, the built-in ones first.
 *
 * @type {import("../../vendor/signals-core.js").ReadonlySignal<
 *   {id: string, name: string, isBuiltIn: boolean, options: Record<string, any>}[]>}
 */
export const presets = computed(() => [...BUILT_IN, ...own.value]);

/** The id of the preset that the options agree with, null if there is none. */
export const currentPreset = computed(() => {
  const fitting = presets.value.filter(({ options: wanted }) =>
    Object.entries(wanted).every(([name, value]) => isSame(options.value[name], value)),
  );
  const last = fitting.find(({ id }) => id === lastApplied.value);
  // One of the user's own says more.
  return (last ?? fitting.at(-1))?.id ?? null;
});

/**
 * Set the options that a preset decides on.
 *
 * @param {string} id
 * @throws {RangeError} there is no such preset
 */
export function applyPreset(id) {
  const preset = presets.peek().find((one) => one.id === id);
  if (!preset) {
    throw new RangeError(`There is no preset with the id ${id}.`);
  }
  lastApplied.value = id;
  setOptions(preset.options);
}

/**
 * Keep the options of now as a preset. One of the user's own with the same name is replaced.
 *
 * @param {string} name
 * @returns {string} the preset's id
 * @throws {RangeError} the name is empty, too long or that of a built-in preset
 */
export function savePreset(name) {
  const title = name.trim();
  if (title === "" || title.length > MOST_NAME_LETTERS) {
    throw new RangeError(`The name of a preset needs 1 to ${MOST_NAME_LETTERS} letters; this one has ${title.length}.`);
  }
  if (BUILT_IN.some((preset) => preset.name.toLowerCase() === title.toLowerCase())) {
    throw new RangeError(`${title} is a built-in preset; choose another name.`);
  }
  const replaced = own.peek().find((preset) => preset.name === title);
  const preset = { id: replaced?.id ?? newId(), name: title, isBuiltIn: false, options: { ...options.peek() } };
  own.value = [...own.peek().filter((one) => one !== replaced), preset];
  lastApplied.value = preset.id;
  return preset.id;
}

/**
 * Forget one of the user's own presets. The options stay as they are.
 *
 * @param {string} id
 * @throws {RangeError} it is built in, or there is none
 */
export function deletePreset(id) {
  if (!own.peek().some((preset) => preset.id === id)) {
    throw new RangeError(`${id} is not the id of a preset of yours.`);
  }
  own.value = own.peek().filter((preset) => preset.id !== id);
}

function builtIn(id, name, changes) {
  const defaults = Object.fromEntries(DECIDED.map((option) => [option.name, option.default]));
  return { id, name, isBuiltIn: true, options: { ...defaults, ...changes } };
}

function isPresetList(value) {
  return Array.isArray(value) && value.every(isPreset);
}

function isPreset(preset) {
  const { id, name, isBuiltIn, options: wanted } = preset ?? {};
  if (typeof id !== "string" || typeof name !== "string" || isBuiltIn !== false || !wanted) {
    return false;
  }
  return Object.entries(wanted).every(([key, value]) =>
    OPTIONS.some((option) => option.name === key && accepts(option, value)),
  );
}
