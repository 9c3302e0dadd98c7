/** A word under the bar at the top while the server cannot answer. */

import { server } from "../state/server.js";
import { html } from "../ui.js";

const WORDS = {
  loading: (text) => ({ kind: "busy", words: text }),
  unreachable: (text) => ({ kind: "bad", words: `${text} Trying again\u2026` }),
  failed: (text) => ({ kind: "bad final", words: `${text} The log of the server says why.` }),
};

/** @returns {object} the banner, empty while all is well; a virtual node */
export function ConnectionBanner() {
  const { phase, text } = server.value;
  const { kind = "", words = "" } = WORDS[phase]?.(text) ?? {};
  // The element stays: readers of the screen follow only what was there before it changed.
  return html`
    <div class="connection" role="status">
      ${words && html`<p class=${`connection-words ${kind}`}><span class="pulse" aria-hidden="true" />${words}</p>`}
    </div>
  `;
}
