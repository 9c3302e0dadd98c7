/** What the model thought before it answered, folded. */

import { formatMs } from "../text/format.js";
import { html, useState } from "../ui.js";
import { MarkdownText } from "./markdown_text.js";

/**
 * A disclosure with what was thought; its summary says how long.
 * @param {{text: string, ms: number | null, isThinking: boolean, isGrowing: boolean}} props `isThinking` until something
 *   else comes
 * @returns {object} a virtual node
 */
export function Thinking({ text, ms, isThinking, isGrowing }) {
  const [isOpen, setOpen] = useState(false);
  const time = ms === null ? "" : formatMs(ms);
  return html`
    <details class="aside thinking" onToggle=${(event) => setOpen(event.currentTarget.open)}>
      <summary>
        ${isThinking ? "Thinking" : "Thought"}${time && html` <span class="soft">for ${time}</span>`}
        ${isThinking && html`<span class="answering" aria-hidden="true"></span>`}
      </summary>
      ${isOpen && html`<div class="aside-body"><${MarkdownText} text=${text} isGrowing=${isGrowing} /></div>`}
    </details>
  `;
}
