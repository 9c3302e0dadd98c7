/** What an answer cost, in one quiet line. */

import { statisticsWords } from "../text/format.js";
import { html } from "../ui.js";

/**
 * The statistics of an answer.
 * @param {{statistics: Parameters<typeof statisticsWords>[0] | null}} props null shows nothing
 * @returns {object | null} a virtual node
 */
export function Statistics({ statistics }) {
  if (!statistics) return null;
  return html`
    <p class="statistics">${statisticsWords(statistics).map((words) => html`<span key=${words}>${words}</span>`)}</p>
  `;
}
