/** The options that hold lists: lines of text, the order of samplers, biases of tokens. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../ui.js";
import { moved, readBias } from "./option_field_model.js";

/**
 * @typedef {object} FieldProps
 * @property {import("../state/option_table.js").Option} option
 * @property {string} id id of the element that its label names
 * @property {any} value
 * @property {(value: any) => void} set
 * @property {object | false} reset the button that resets it, a virtual node, if it is changed
 */

/**
 * One text per line.
 * @param {FieldProps} props
 * @returns {object} a virtual node
 */
export function LinesField({ option, id, value, set, reset }) {
  const [text, setText] = useState(value.join("\n"));
  const linesOf = (lines) => lines.split("\n").filter(Boolean);
  useEffect(() => {
    // Not for every key: an empty line at the end is the beginning of the next one.
    if (value.join("\n") !== linesOf(text).join("\n")) setText(value.join("\n"));
  }, [value]);
  const edit = (event) => {
    setText(event.currentTarget.value);
    set(linesOf(event.currentTarget.value));
  };
  return html`
    <div class="option-head"><label for=${id}>${option.label}</label>${reset}</div>
    <textarea
      id=${id}
      class="field mono"
      rows=${Math.min(6, Math.max(2, value.length + 1))}
      spellcheck=${false}
      value=${text}
      aria-describedby=${`${id}-hint`}
      onInput=${edit}
    ></textarea>
  `;
}

/**
 * The samplers that are on, in their order, then those that are off; moved by buttons, arrow keys or the mouse.
 * @param {FieldProps} props
 * @returns {object} a virtual node
 */
export function SamplersField({ option, id, value, set, reset }) {
  const [dragged, setDragged] = useState(null);
  const [said, setSaid] = useState("");
  const list = useRef(null);
  // Selectors, the best first: what was moved has the focus still.
  const toFocus = useRef([]);
  const off = option.choices.map((choice) => choice.value).filter((name) => !value.includes(name));
  useLayoutEffect(() => {
    const found = toFocus.current.map((selector) => list.current.querySelector(selector));
    toFocus.current = [];
    found.find((element) => element !== null)?.focus();
  });
  const move = (name, to) => {
    const next = moved(value, value.indexOf(name), to);
    set(next);
    setSaid(`${name} is now number ${next.indexOf(name) + 1} of ${next.length}`);
  };
  const turn = (name, isOn) => {
    toFocus.current = [`[data-sampler="${name}"] input`];
    set(isOn ? [...value, name] : value.filter((other) => other !== name));
  };
  const step = (name, by) => {
    const row = `[data-sampler="${name}"]`;
    toFocus.current = [`${row} [data-step="${by}"]:enabled`, `${row} button:enabled`];
    move(name, value.indexOf(name) + by);
  };
  const dropOn = (name) => (event) => {
    event.preventDefault();
    if (dragged && dragged !== name) move(dragged, value.indexOf(name));
    setDragged(null);
  };
  const row = (name, i) => html`
    <li
      key=${name}
      data-sampler=${name}
      class=${dragged === name ? "dragged" : ""}
      draggable=${true}
      onDragStart=${() => setDragged(name)}
      onDragEnd=${() => setDragged(null)}
      onDragOver=${(event) => dragged && event.preventDefault()}
      onDrop=${dropOn(name)}
      onKeyDown=${(event) => onStepKey(event, (by) => step(name, by), i, value.length)}
    >
      <span class="grip" aria-hidden="true">⠿</span>
      <label><input type="checkbox" checked onChange=${() => turn(name, false)} /> ${name}</label>
      <button
        type="button"
        class="button quiet small"
        data-step="-1"
        disabled=${i === 0}
        aria-label=${`Move ${name} up`}
        onClick=${() => step(name, -1)}
      >
        ↑
      </button>
      <button
        type="button"
        class="button quiet small"
        data-step="1"
        disabled=${i === value.length - 1}
        aria-label=${`Move ${name} down`}
        onClick=${() => step(name, 1)}
      >
        ↓
      </button>
    </li>
  `;
  return html`
    <div class="option-head"><span class="label" id=${`${id}-label`}>${option.label}</span>${reset}</div>
    <ol
      id=${id}
      class="samplers"
      tabindex="-1"
      ref=${list}
      aria-labelledby=${`${id}-label`}
      aria-describedby=${`${id}-hint`}
    >
      ${value.map(row)}
      ${off.map(
        (name) =>
          html`<li key=${name} data-sampler=${name} class="off">
            <label><input type="checkbox" checked=${false} onChange=${() => turn(name, true)} /> ${name}</label>
          </li>`,
      )}
    </ol>
    <p class="sr-only" role="status">${said}</p>
  `;
}

/**
 * Rows of a token and what is added to its logit.
 * @param {FieldProps} props
 * @returns {object} a virtual node
 */
export function BiasField({ option, id, value, set, reset }) {
  const [rows, setRows] = useState(() => rowsOf(value));
  const read = (from) => from.map((row) => readBias(row.token, row.amount)).filter((pair) => pair !== null);
  useEffect(() => {
    if (JSON.stringify(read(rows)) !== JSON.stringify(value)) setRows(rowsOf(value));
  }, [value]);
  const change = (next) => {
    setRows(next);
    set(read(next));
  };
  const edit = (i, key) => (event) => change(rows.with(i, { ...rows[i], [key]: event.currentTarget.value }));
  const isWrong = (row) => row.amount.trim() !== "" && row.token !== "" && readBias(row.token, row.amount) === null;
  return html`
    <div class="option-head"><span class="label" id=${`${id}-label`}>${option.label}</span>${reset}</div>
    <ul id=${id} class="biases" tabindex="-1" aria-labelledby=${`${id}-label`} aria-describedby=${`${id}-hint`}>
      ${rows.map(
        (row, i) =>
          html`<li key=${i}>
            <input
              class="field mono"
              aria-label=${`Token ${i + 1}`}
              placeholder="text or id"
              value=${row.token}
              onInput=${edit(i, "token")}
            />
            <input
              class="field"
              aria-label=${`Bias ${i + 1}`}
              inputmode="decimal"
              placeholder="-5, 2.5, never"
              value=${row.amount}
              aria-invalid=${isWrong(row) ? "true" : undefined}
              aria-describedby=${isWrong(row) ? `${id}-wrong-${i}` : undefined}
              onInput=${edit(i, "amount")}
            />
            <button
              type="button"
              class="button quiet small"
              aria-label=${`Remove bias ${i + 1}`}
              onClick=${() => change(rows.toSpliced(i, 1))}
            >
              ×
            </button>
            ${isWrong(row) && html`<p class="wrong" id=${`${id}-wrong-${i}`}>Allowed: a number, or the word never</p>`}
          </li>`,
      )}
    </ul>
    <button type="button" class="button small" onClick=${() => setRows([...rows, { token: "", amount: "" }])}>
      Add a token
    </button>
  `;
}

function rowsOf(pairs) {
  return pairs.map(([token, amount]) => ({
    token: String(token),
    amount: amount === false ? "never" : String(amount),
  }));
}

function onStepKey(event, step, index, count) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!by || index + by < 0 || index + by >= count) return;
  event.preventDefault();
  step(by);
}
