/** The frame of the page: the bar at the top, the view in sight, and what lies over them. */

import { running, stop } from "../state/chat_session.js";
import { newConversation } from "../state/conversations.js";
import { html, useEffect } from "../ui.js";
import { ApiView } from "./api_view.js";
import { Boundary } from "./boundary.js";
import { ChatView } from "./chat.js";
import { CompletionView } from "./completion.js";
import { ConnectionBanner } from "./connection.js";
import { Header } from "./header.js";
import { KeyDialog } from "./key_dialog.js";
import { MonitorView } from "./monitor.js";
import { Notes } from "./notes.js";
import { OptionsPanel } from "./options_panel.js";
import { VIEWS, closeOptions, focusComposer, optionsOpen, shortcutsOpen, sidebarOpen, view } from "./shell.js";
import { ShortcutsDialog } from "./shortcuts.js";
import { Sidebar } from "./sidebar.js";

const CONTENTS = { chat: ChatView, completion: CompletionView, monitor: MonitorView, api: ApiView };
const VIEWS_WITH_OPTIONS = ["chat", "completion"];

/** @returns {object} the whole page, a virtual node */
export function App() {
  const name = view.value;
  const withOptions = optionsOpen.value && VIEWS_WITH_OPTIONS.includes(name);
  useEffect(() => {
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
  useEffect(() => {
    document.title = name === "chat" ? "Slotline" : `${VIEWS[name]} - Slotline`;
  }, [name]);
  return html`
    <div class=${`app ${withOptions ? "with-options" : ""}`}>
      <a class="skip button" href="#main" onClick=${skipToMain}>Skip to the content</a>
      <${Boundary} name="The bar at the top"><${Header} /><//>
      <${Boundary} name="The state of the server"><${ConnectionBanner} /><//>
      <div class="body">
        ${name === "chat" && html`<${Boundary} name="The list of conversations"><${Sidebar} /><//>`}
        <main class="main" id="main" tabindex="-1">
          <${Boundary} key=${name} name="This view"><${CONTENTS[name]} /><//>
        </main>
        ${
          withOptions &&
          html`<${Boundary} name="The panel of options"><${OptionsPanel} onClose=${closeOptions} /><//>`
        }
      </div>
      <${Boundary} name="The place of notes"><${Notes} /><//>
      <${Boundary} name="The question for a key"><${KeyDialog} /><//>
      ${
        shortcutsOpen.value &&
        html`<${Boundary} name="The list of shortcuts"><${ShortcutsDialog} /><//>`
      }
    </div>
  `;
}

function skipToMain(event) {
  // The address names the view; it must not become "#main".
  event.preventDefault();
  document.getElementById("main").focus();
}

function onKeyDown(event) {
  if (event.isComposing || document.querySelector("dialog[open], [popover]:popover-open")) return;
  const isCommand = event.shiftKey && (event.ctrlKey || event.metaKey);
  if (event.key === "Escape") stopOrClose(event);
  else if (isCommand && event.key.toLowerCase() === "o") startConversation(event);
  else if (event.key === "?" && !isWriting(event.target)) shortcutsOpen.value = true;
}

function stopOrClose(event) {
  if (event.defaultPrevented) return;
  if (sidebarOpen.value) {
    sidebarOpen.value = false;
    document.querySelector(".open-sidebar")?.focus();
  } else if (view.value === "chat" && running.value) {
    void stop();
  }
}

function startConversation(event) {
  event.preventDefault();
  location.hash = "#/chat";
  newConversation();
  focusComposer();
}

function isWriting(element) {
  return element.isContentEditable || element.matches("input, textarea, select");
}
