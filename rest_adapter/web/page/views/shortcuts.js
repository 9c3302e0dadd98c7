/** The list of keyboard shortcuts. */

import { html } from "../ui.js";
import { Dialog } from "./dialog.js";
import { shortcutsOpen } from "./shell.js";

const SHORTCUTS = [
  [["Enter"], "Send the message"],
  [["Shift", "Enter"], "New line"],
  [["Escape"], "Stop the answer"],
  [["Ctrl", "Shift", "O"], "New conversation"],
  [["Ctrl", "Enter"], "Save an edited message, send results of tools, generate a completion"],
  [["?"], "Show this list"],
];

/** @returns {object} the dialog, a virtual node */
export function ShortcutsDialog() {
  const close = () => (shortcutsOpen.value = false);
  return html`
    <${Dialog} title="Keyboard shortcuts" onClose=${close}>
      <dl class="shortcuts">
        ${SHORTCUTS.map(
          ([keys, text]) => html`
            <dt key=${text}>${keys.map((key, number) => html`${number > 0 && " "}<kbd>${key}</kbd>`)}</dt>
            <dd>${text}</dd>
          `,
        )}
      </dl>
      <div class="dialog-buttons"><button type="button" class="button" onClick=${close}>Close</button></div>
    <//>
  `;
}
