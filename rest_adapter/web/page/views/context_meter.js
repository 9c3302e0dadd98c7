/** How full the context is, below the place to write, with what to do when it gets short. */

import { removeOldestTurn, running } from "../state/chat_session.js";
import { contextUse } from "../state/context.js";
import { current } from "../state/conversations.js";
import { countTurns } from "../state/messages.js";
import { formatNumber } from "../text/format.js";
import { formatPart } from "../text/quantities.js";
import { html } from "../ui.js";
import { focusComposer } from "./shell.js";

/** @returns {object} a line that is empty while nothing is known; a virtual node */
export function ContextMeter() {
  const use = contextUse.value;
  const canRemove = running.value === null && countTurns(current.value?.messages ?? []) > 1;
  const remove = () => {
    focusComposer();
    void removeOldestTurn();
  };
  // The element stays: readers of the screen follow only what was there before it changed.
  return html`
    <div class=${`context-meter soft ${use?.isShort ? "short" : ""}`}>
      ${use &&
      html`
        <meter min="0" max=${use.size} high=${Math.floor(use.size * 0.8)} value=${use.used} aria-label="Context"></meter>
        <span title=${`${formatNumber(use.used)} of ${formatNumber(use.size)} tokens`}>
          Context ${formatPart(use.part)} full
        </span>
      `}
      <span role="status">${use?.isShort && "There is little room left for this conversation."}</span>
      ${use?.isShort &&
      canRemove &&
      html`<button type="button" class="button small" onClick=${remove}>Remove the oldest turn</button>`}
    </div>
  `;
}
