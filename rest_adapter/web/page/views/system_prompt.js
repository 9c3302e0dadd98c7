/** What the model is told before the conversation. */

import { current, setSystemPrompt } from "../state/conversations.js";
import { html, useState } from "../ui.js";

/** @returns {object} a disclosure with the text to edit, a virtual node */
export function SystemPrompt() {
  const text = current.value?.systemPrompt ?? "";
  const [draft, setDraft] = useState(text);
  const write = ({ currentTarget }) => {
    setDraft(currentTarget.value);
    void setSystemPrompt(currentTarget.value);
  };
  return html`
    <details class="system-prompt">
      <summary>System prompt <span class="soft">${text.trim() ? text.trim().split("\n")[0] : "none"}</span></summary>
      <textarea
        class="field"
        rows="4"
        aria-label="System prompt"
        placeholder="How the model should answer, for example: You are a patient teacher. Answer in short sentences."
        value=${draft}
        onInput=${write}
      ></textarea>
      <p class="soft">Holds for this conversation, from the next answer on.</p>
    </details>
  `;
}
