/** Every option of a generation, its presets, tools, the prompt template, and what answers obey. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../ui.js";
import { OPTIONS } from "../state/option_table.js";
import { changedOptions, grammar } from "../state/options.js";
import { GrammarEditor } from "./grammar_editor.js";
import { OptionField } from "./option_field.js";
import { findOptions } from "./option_field_model.js";
import { PresetPicker } from "./preset_picker.js";
import { SchemaEditor } from "./schema_editor.js";
import { closeOptions } from "./shell.js";
import { TemplateEditor } from "./template_editor.js";
import { ToolsEditor } from "./tools_editor.js";

const NARROW = "(max-width: 47.99rem)";
const GROUPS = [...new Set(OPTIONS.map((option) => option.group))];
const FIRST_OPEN = 2;

/**
 * The options: a region beside the content, on phones a dialog over it.
 * @returns {object} a virtual node
 */
export function OptionsPanel() {
  const isNarrow = useMedia(NARROW);
  return isNarrow ? html`<${OptionsDialog} />` : html`<${OptionsRegion} />`;
}

function OptionsRegion() {
  return html`
    <aside id="options" class="options scrolling" aria-labelledby="options-title"><${OptionsContent} /></aside>
  `;
}

function OptionsDialog() {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => element.close();
  }, []);
  return html`
    <dialog
      id="options"
      class="options scrolling"
      aria-labelledby="options-title"
      ref=${dialog}
      onCancel=${closeOptions}
      onClose=${(event) => event.currentTarget.isConnected && closeOptions()}
      onKeyDown=${(event) => event.stopPropagation()}
    >
      <${OptionsContent} />
    </dialog>
  `;
}

function OptionsContent() {
  const [query, setQuery] = useState("");
  const found = findOptions(OPTIONS, query);
  const changed = new Set(changedOptions.value);
  const isSearching = query.trim() !== "";
  const onFindKey = (event) => {
    if (event.key !== "Escape" || query === "") return;
    // Empties the field, and neither closes the panel nor stops an answer.
    event.preventDefault();
    event.stopPropagation();
    setQuery("");
  };
  return html`
    <header class="options-head">
      <h2 id="options-title">Options</h2>
      <button type="button" class="button quiet small round" aria-label="Close options" onClick=${closeOptions}>
        <span aria-hidden="true">✕</span>
      </button>
    </header>
    <${PresetPicker} />
    <input
      type="search"
      class="field find"
      aria-label="Find an option"
      placeholder="Find an option"
      value=${query}
      onInput=${(event) => setQuery(event.currentTarget.value)}
      onKeyDown=${onFindKey}
    />
    ${GROUPS.map((group, i) => {
      const members = found.filter((option) => option.group === group);
      const isOpen = isSearching || i < FIRST_OPEN;
      return members.length > 0 && html`<${Group} key=${group} name=${group} ...${{ members, changed, isOpen }} />`;
    })}
    ${found.length === 0 && html`<p class="soft" role="status">No option is called “${query.trim()}”.</p>`}
    ${!isSearching && html`<${ToolsEditor} /><${TemplateEditor} /><${SchemaEditor} />`}
    ${
      !isSearching &&
      html`<details class="group">
        <summary>Grammar${grammar.value.trim() && html` <span class="count">on</span>`}</summary>
        <${GrammarEditor} />
      </details>`
    }
  `;
}

function Group({ name, members, changed, isOpen }) {
  const isChanged = (option) => changed.has(option.name);
  const nChanged = members.filter(isChanged).length;
  return html`
    <details class="group" open=${isOpen}>
      <summary>
        ${name}${nChanged > 0 && html` <span class="count" title="Changed options">${nChanged} changed</span>`}
      </summary>
      ${members.map(
        (option) => html`<${OptionField} key=${option.name} option=${option} isChanged=${isChanged(option)} />`,
      )}
    </details>
  `;
}

/** Whether a media query matches, now and later. */
function useMedia(query) {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const update = () => setMatches(list.matches);
    list.addEventListener("change", update);
    return () => list.removeEventListener("change", update);
  }, [query]);
  return matches;
}
