/** A list of facts: names above values. */

import { html } from "../ui.js";

/**
 * @param {{items: [string, string | object][]}} props names, and values as text or virtual nodes
 * @returns {object} the list, a virtual node
 */
export function Facts({ items }) {
  return html`
    <dl class="facts">
      ${items.map(
        ([name, value]) => html`
          <div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `,
      )}
    </dl>
  `;
}
