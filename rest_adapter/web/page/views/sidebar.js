/** The conversations: begin one, find one, and what can be done with each. */

import { conversations, newConversation, searchConversations } from "../state/conversations.js";
import { dayLabel, formatCount } from "../text/format.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { ConversationItem } from "./conversation_item.js";
import { exportToFile, importFile } from "./files.js";
import { Icon } from "./icons.js";
import { focusComposer, sidebarOpen } from "./shell.js";

/** @returns {object} the list, a virtual node */
export function Sidebar() {
  const isOpen = sidebarOpen.value;
  const place = useRef(null);
  useEffect(() => {
    if (isOpen) place.current.querySelector("button").focus();
  }, [isOpen]);
  const onFocusOut = ({ relatedTarget }) => {
    // Who tabs out of the list goes back to what lies under it. The button opens and closes by itself.
    const isLeft = relatedTarget && !place.current.contains(relatedTarget) && !relatedTarget.closest(".open-sidebar");
    if (isLeft) sidebarOpen.value = false;
  };
  return html`
    <nav
      class=${`sidebar ${isOpen ? "open" : ""}`}
      id="conversations"
      aria-label="Conversations"
      ref=${place}
      onFocusOut=${onFocusOut}
    >
      <button type="button" class="button new" onClick=${startNew}><${Icon} name="add" />New conversation</button>
      <${Finder} />
      <div class="sidebar-foot">
        <button type="button" class="button quiet small" onClick=${() => void exportToFile()}>
          <${Icon} name="export" />Export all
        </button>
        <${ImportButton} />
      </div>
    </nav>
    ${isOpen && html`<div class="curtain" onClick=${() => (sidebarOpen.value = false)}></div>`}
  `;
}

function Finder() {
  const [query, setQuery] = useState("");
  const found = useFound(query.trim());
  const isSearching = query.trim() !== "";
  const groups = isSearching ? [["Found", found]] : groupsOf(found);
  return html`
    <label class="search">
      <${Icon} name="search" />
      <input
        type="search"
        aria-label="Search conversations"
        placeholder="Search"
        value=${query}
        onInput=${(event) => setQuery(event.currentTarget.value)}
      />
    </label>
    <p class="sr-only" role="status">${isSearching ? `${formatCount(found.length, "conversation")} found` : ""}</p>
    <div class="conversations scrolling">
      ${groups.map(([label, items]) => html`<${Items} key=${label} label=${label} items=${items} />`)}
      ${found.length === 0 &&
      html`<p class="none soft">${isSearching ? "Nothing found." : "Conversations appear here."}</p>`}
    </div>
  `;
}

function Items({ label, items }) {
  if (!items.length) return null;
  return html`
    <h2 class="group-name">${label}</h2>
    <ul>
      ${items.map((conversation) => html`<${ConversationItem} key=${conversation.id} conversation=${conversation} />`)}
    </ul>
  `;
}

function ImportButton() {
  const files = useRef(null);
  const take = async ({ currentTarget }) => {
    await importFile(currentTarget.files[0]);
    // So that the same file can be chosen again.
    currentTarget.value = "";
  };
  return html`
    <button type="button" class="button quiet small" onClick=${() => files.current.click()}>
      <${Icon} name="import" />Import
    </button>
    <input type="file" hidden accept=".json,application/json" ref=${files} onChange=${take} />
  `;
}

function startNew() {
  sidebarOpen.value = false;
  newConversation();
  focusComposer();
}

/** What a search finds; everything if the query is empty. An answer that comes after a newer question is dropped. */
function useFound(query) {
  const all = conversations.value;
  const [found, setFound] = useState([]);
  useEffect(() => {
    if (!query) return undefined;
    let isCurrent = true;
    void searchConversations(query).then((summaries) => isCurrent && setFound(summaries));
    return () => (isCurrent = false);
  }, [query, all]);
  return query ? found : all;
}

function groupsOf(all) {
  const groups = new Map();
  const nowMs = Date.now();
  for (const conversation of all) {
    const label = dayLabel(conversation.updatedAt, nowMs);
    groups.set(label, [...(groups.get(label) ?? []), conversation]);
  }
  return [...groups];
}
