/** Presets: sets of options under a name. */

import { html, useLayoutEffect, useRef, useState } from "../ui.js";
import { resetAll } from "../state/sending.js";
import { applyPreset, currentPreset, deletePreset, presets, savePreset } from "../state/presets.js";

const MAX_NAME_LENGTH = 60;

/**
 * Chooses, saves and deletes presets.
 * @returns {object} a virtual node
 */
export function PresetPicker() {
  const [isSaving, setSaving] = useState(false);
  const saveButton = useRef(null);
  const current = presets.value.find((preset) => preset.id === currentPreset.value) ?? null;
  const finish = () => {
    setSaving(false);
    saveButton.current.focus();
  };
  return html`
    <div class="presets">
      <label for="preset">Preset</label>
      <select
        id="preset"
        class="field"
        onChange=${(event) => event.currentTarget.value && applyPreset(event.currentTarget.value)}
      >
        ${!current && html`<option value="" selected>Custom</option>`}
        ${presets.value.map(
          ({ id, name }) => html`<option key=${id} value=${id} selected=${id === current?.id}>${name}</option>`,
        )}
      </select>
      <div class="preset-buttons">
        <button
          type="button"
          class="button small"
          ref=${saveButton}
          aria-expanded=${isSaving}
          onClick=${() => setSaving(!isSaving)}
        >
          Save preset
        </button>
        <button
          type="button"
          class="button small"
          disabled=${!current || current.isBuiltIn}
          title=${current?.isBuiltIn ? "A built-in preset stays" : undefined}
          onClick=${() => deletePreset(current.id)}
        >
          Delete preset
        </button>
        <button type="button" class="button small" onClick=${resetAll}>Reset options</button>
      </div>
      ${isSaving && html`<${NameForm} finish=${finish} />`}
    </div>
  `;
}

function NameForm({ finish }) {
  const input = useRef(null);
  const [problem, setProblem] = useState("");
  useLayoutEffect(() => input.current.focus(), []);
  const save = (event) => {
    event.preventDefault();
    const name = input.current.value.trim();
    if (name === "") {
      setProblem("A preset needs a name.");
      input.current.focus();
      return;
    }
    try {
      savePreset(name);
      finish();
    } catch (error) {
      setProblem(error.message);
    }
  };
  const onKeyDown = (event) => {
    if (event.key !== "Escape") return;
    // Here and nowhere around it, where it closes or stops more.
    event.preventDefault();
    event.stopPropagation();
    finish();
  };
  return html`
    <form class="preset-name" onSubmit=${save} onKeyDown=${onKeyDown}>
      <label for="preset-name">Name of the preset</label>
      <input
        id="preset-name"
        class="field"
        ref=${input}
        maxlength=${MAX_NAME_LENGTH}
        autocomplete="off"
        aria-invalid=${problem ? "true" : undefined}
        aria-describedby=${problem ? "preset-problem" : undefined}
      />
      <button type="submit" class="button small primary">Save</button>
      <button type="button" class="button small" onClick=${finish}>Cancel</button>
      ${problem && html`<p class="wrong" id="preset-problem">${problem}</p>`}
    </form>
  `;
}
