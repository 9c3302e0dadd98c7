/** One option: label, value, the way back to its default, and what it does in plain words. */

import { html, useEffect, useRef, useState } from "../ui.js";
import { allowedValues } from "../state/option_table.js";
import { options, setOption } from "../state/options.js";
import { BiasField, LinesField, SamplersField } from "./option_field_lists.js";
import { readNumber, sliderRange, valueWords } from "./option_field_model.js";
import { ProbabilityLegend } from "./probabilities.js";

// Of a default that has room beside the label.
const MOST_LETTERS = 6;

const FIELDS = {
  number: NumberField,
  integer: NumberField,
  boolean: BooleanField,
  choice: ChoiceField,
  lines: LinesField,
  samplers: SamplersField,
  bias: BiasField,
};

/**
 * @param {{option: import("../state/option_table.js").Option, isChanged: boolean}} props
 * @returns {object} a virtual node
 */
export function OptionField({ option, isChanged }) {
  const id = `option-${option.name}`;
  const value = options.value[option.name];
  const Field = FIELDS[option.kind];
  return html`
    <div class=${isChanged ? "option changed" : "option"} data-option=${option.name}>
      <${Field}
        option=${option}
        id=${id}
        value=${value}
        set=${(next) => setOption(option.name, next)}
        reset=${isChanged && html`<${ResetButton} option=${option} field=${id} />`}
      />
      <p class="hint" id=${`${id}-hint`}>${option.hint}</p>
      ${option.name === "n_probs" && value > 0 && html`<${ProbabilityLegend} />`}
    </div>
  `;
}

function ResetButton({ option, field }) {
  const wordsOfDefault = valueWords(option, option.default);
  const words = `Reset ${option.label} to ${wordsOfDefault}`;
  const reset = () => {
    setOption(option.name, option.default);
    // The button goes, and the focus must not go with it.
    document.getElementById(field)?.focus();
  };
  return html`<button
    type="button"
    class="button quiet small reset"
    aria-label=${words}
    title=${words}
    onClick=${reset}
  >
    <span aria-hidden="true">↺ ${wordsOfDefault.length <= MOST_LETTERS && wordsOfDefault}</span>
  </button>`;
}

function NumberField({ option, id, value, set, reset }) {
  const [draft, edit, leave] = useDraft(value, (text) => readNumber(option, text), set);
  const isWrong = draft !== null && readNumber(option, draft) === null;
  const slider = sliderRange(option);
  return html`
    <div class="option-head">
      <label for=${id}>${option.label}</label>
      ${reset}
      <input
        type="number"
        class="field"
        id=${id}
        min=${option.min}
        max=${option.max}
        step=${option.step}
        value=${draft ?? value}
        aria-invalid=${isWrong ? "true" : undefined}
        aria-describedby=${isWrong ? `${id}-range ${id}-hint` : `${id}-hint`}
        onInput=${(event) => edit(event.currentTarget.value)}
        onBlur=${leave}
      />
    </div>
    ${
      slider &&
      html`<input
        type="range"
        aria-label=${`${option.label} slider`}
        min=${slider[0]}
        max=${slider[1]}
        step=${option.step}
        value=${value}
        onInput=${(event) => set(Number(event.currentTarget.value))}
      />`
    }
    ${isWrong && html`<p class="wrong" id=${`${id}-range`}>Allowed: ${allowedValues(option)}</p>`}
  `;
}

function BooleanField({ option, id, value, set, reset }) {
  return html`
    <div class="option-head">
      <label for=${id}>${option.label}</label>
      ${reset}
      <input
        type="checkbox"
        role="switch"
        id=${id}
        checked=${value}
        aria-describedby=${`${id}-hint`}
        onChange=${(event) => set(event.currentTarget.checked)}
      />
    </div>
  `;
}

function ChoiceField({ option, id, value, set, reset }) {
  const { choices } = option;
  return html`
    <div class="option-head">
      <label for=${id}>${option.label}</label>
      ${reset}
      <select
        class="field"
        id=${id}
        aria-describedby=${`${id}-hint`}
        onChange=${(event) => set(choices[event.currentTarget.selectedIndex].value)}
      >
        ${choices.map(
          (choice) => html`<option key=${choice.label} selected=${choice.value === value}>${choice.label}</option>`,
        )}
      </select>
    </div>
  `;
}

/**
 * Keeps what somebody types until it is finished: "0." must not become "0" on the way to "0.5", and a value that is
 * not allowed stays in sight with the allowed range, while the option keeps its last good value.
 */
function useDraft(value, read, set) {
  const [draft, setDraft] = useState(null);
  const mine = useRef(value);
  useEffect(() => {
    // Changed by a preset, a reset or the slider: what was typed is of the past.
    if (value !== mine.current) setDraft(null);
    mine.current = value;
  }, [value]);
  const edit = (text) => {
    setDraft(text);
    const next = read(text);
    if (next === null) return;
    mine.current = next;
    set(next);
  };
  const leave = () => draft !== null && read(draft) !== null && setDraft(null);
  return [draft, edit, leave];
}
