/** The bar at the top: name, views, the model and its state, and the switch of the options. */

import { model, server } from "../state/server.js";
import { html } from "../ui.js";
import { Icon, Logo } from "./icons.js";
import { VIEWS, optionsOpen, sidebarOpen, view } from "./shell.js";

const VIEWS_WITH_OPTIONS = ["chat", "completion"];

const PHASES = {
  connecting: { lamp: "", word: "connecting" },
  loading: { lamp: "busy", word: "loading the model" },
  ready: { lamp: "good", word: "ready" },
  unreachable: { lamp: "bad", word: "not reachable" },
  failed: { lamp: "bad", word: "the model could not be loaded" },
};

/** @returns {object} the bar, a virtual node */
export function Header() {
  return html`
    <header class="top">
      ${view.value === "chat" && html`<${ConversationsButton} />`}
      <div class="brand"><${Logo} /><span class="brand-name">Slotline</span></div>
      <${Views} />
      <${State} />
      ${VIEWS_WITH_OPTIONS.includes(view.value) && html`<${OptionsButton} />`}
    </header>
  `;
}

function Views() {
  return html`
    <nav class="views" aria-label="Views">
      ${Object.entries(VIEWS).map(
        ([name, title]) =>
          html`
            <a key=${name} href=${`#/${name}`} aria-current=${view.value === name ? "page" : undefined}>${title}</a>
          `,
      )}
    </nav>
  `;
}

function State() {
  const { phase, slotsIdle } = server.value;
  const { lamp, word } = PHASES[phase];
  const isBusy = phase === "ready" && slotsIdle === 0;
  return html`
    <div class="state" role="status">
      ${model.value && html`<span class="model" title=${model.value.id}>${model.value.name}</span>`}
      <span class=${`lamp ${isBusy ? "busy" : lamp}`} aria-hidden="true"></span>
      <span class="word">${isBusy ? "all slots busy" : word}</span>
    </div>
  `;
}

function OptionsButton() {
  const isOpen = optionsOpen.value;
  return html`
    <button
      type="button"
      class=${`button quiet ${isOpen ? "on" : ""}`}
      aria-expanded=${String(isOpen)}
      aria-controls="options"
      onClick=${() => (optionsOpen.value = !isOpen)}
    >
      <${Icon} name="options" /><span class="options-word">Options</span>
    </button>
  `;
}

function ConversationsButton() {
  const isOpen = sidebarOpen.value;
  return html`
    <button
      type="button"
      class="button quiet round open-sidebar"
      aria-label="Conversations"
      aria-expanded=${String(isOpen)}
      aria-controls="conversations"
      onClick=${() => (sidebarOpen.value = !isOpen)}
    >
      <${Icon} name="list" />
    </button>
  `;
}
