/** The slots as a table: what each does, and how far it is. */

import { formatNumber } from "../text/format.js";
import { html } from "../ui.js";

const ACTIVITIES = { idle: "Idle", prompt: "Reading prompt", generating: "Generating" };

/**
 * @param {{slots: object[]}} props slots as `slotFacts` gives them
 * @returns {object} the table, a virtual node
 */
export function SlotTable({ slots }) {
  return html`
    <div class="slot-scroll" tabindex="0" role="group" aria-label="Table of slots">
      <table class="slot-table">
        <thead>
          <tr>
            <th scope="col">Slot</th>
            <th scope="col">State</th>
            <th scope="col" class="number">Task</th>
            <th scope="col" class="number">Tokens</th>
            <th scope="col">Progress</th>
            <th scope="col" class="prompt-column">Prompt</th>
          </tr>
        </thead>
        <tbody>
          ${slots.map((slot) => html`<${Row} key=${slot.id} slot=${slot} />`)}
        </tbody>
      </table>
    </div>
  `;
}

/**
 * A bar that says how far something is, without a number beside it.
 *
 * @param {{label: string, part: number, text: string, role?: "progressbar" | "meter"}} props
 * @returns {object} the bar, a virtual node
 */
export function Bar({ label, part, text, role = "progressbar" }) {
  const percent = Math.round(part * 100);
  return html`
    <div
      class="bar"
      role=${role}
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${percent}
      aria-valuetext=${text}
    >
      <div style=${{ width: `${part * 100}%` }}></div>
    </div>
  `;
}

function Row({ slot }) {
  const isIdle = slot.activity === "idle";
  return html`
    <tr class=${slot.activity}>
      <th scope="row">${slot.id}</th>
      <td><span class="slot-lamp" aria-hidden="true"></span>${ACTIVITIES[slot.activity]}</td>
      <td class="number">${isIdle || slot.taskId === null ? "" : slot.taskId}</td>
      <td class="number">${tokens(slot)}</td>
      <td class="progress-cell">${!isIdle && html`<${Progress} slot=${slot} />`}</td>
      <td class="prompt-column"><span title=${slot.promptStart}>${isIdle ? "" : slot.promptStart}</span></td>
    </tr>
  `;
}

function Progress({ slot }) {
  if (slot.progress === null) {
    return html`<span class="soft">${slot.activity === "prompt" ? "" : "no limit"}</span>`;
  }
  return html`<${Bar} label=${`Slot ${slot.id}`} part=${slot.progress} text=${tokens(slot)} />`;
}

function tokens({ activity, nGenerated, limit, nPrompt, nPromptDone, nCached }) {
  if (activity === "idle") return nCached > 0 ? `${formatNumber(nCached)} kept` : "";
  if (activity === "prompt") {
    return nPrompt === null ? "" : `${formatNumber(nPromptDone ?? 0)} of ${formatNumber(nPrompt)}`;
  }
  return limit === null ? formatNumber(nGenerated) : `${formatNumber(nGenerated)} of ${formatNumber(limit)}`;
}
