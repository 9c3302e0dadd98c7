/** One conversation in the list. */

import { running } from "../state/chat_session.js";
import { current, deleteConversation, openConversation, renameConversation } from "../state/conversations.js";
import { html, useState } from "../ui.js";
import { ConfirmDialog, TextDialog } from "./dialog.js";
import { exportToFile } from "./files.js";
import { MenuButton } from "./menu.js";
import { sidebarOpen } from "./shell.js";

/**
 * A conversation with its menu.
 * @param {{conversation: {id: string, title: string}}} props
 * @returns {object} a virtual node
 */
export function ConversationItem({ conversation }) {
  const { id, title } = conversation;
  const [question, setQuestion] = useState(null);
  const isCurrent = current.value?.id === id;
  const isRunning = running.value?.conversationId === id;
  const ask = (name) => () => setQuestion(name);
  const items = [
    { text: "Rename", icon: "edit", onChoose: ask("rename") },
    { text: "Export", icon: "export", onChoose: () => void exportToFile([id]) },
    { text: "Delete", icon: "delete", isDangerous: true, onChoose: ask("delete") },
  ];
  return html`
    <li class=${`conversation ${isCurrent ? "current" : ""}`}>
      <button
        type="button"
        class="open"
        aria-current=${isCurrent ? "true" : undefined}
        title=${title}
        onClick=${() => void open(id)}
      >
        <span class="title">${title}</span>
        ${isRunning && html`<span class="answering" title="Is being answered"></span>`}
      </button>
      <${MenuButton} label=${`Actions for ${title}`} items=${items} />
      ${question === "rename" &&
      html`<${TextDialog}
        title="Rename conversation"
        label="Title"
        value=${title}
        yes="Rename"
        onYes=${(text) => void renameConversation(id, text)}
        onClose=${ask(null)}
      />`}
      ${question === "delete" &&
      html`<${ConfirmDialog}
        title="Delete this conversation?"
        text=${`“${title}” is deleted from this browser for good.`}
        yes="Delete"
        isDangerous=${true}
        onYes=${() => void remove(id)}
        onClose=${ask(null)}
      />`}
    </li>
  `;
}

async function open(id) {
  await openConversation(id);
  sidebarOpen.value = false;
}

async function remove(id) {
  await deleteConversation(id);
  // The button that had the focus went away with the conversation.
  document.querySelector(".sidebar .new")?.focus();
}
