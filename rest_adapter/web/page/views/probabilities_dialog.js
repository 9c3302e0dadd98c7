/** The list of what could have stood in the place of a token. */

import { html, useLayoutEffect, useRef } from "../ui.js";
import { alternatives, percent } from "./probabilities_model.js";

const MARGIN_PX = 8;
const SHEET = "(max-width: 47.99rem)";

/**
 * The dialog for one token; the arrow keys go on to its neighbours.
 * @param {{
 *   token: import("./probabilities_model.js").Token,
 *   number: number,
 *   count: number,
 *   anchor: () => HTMLElement | null,
 *   walk: (step: number) => void,
 *   close: () => void,
 * }} props number: position of the token, from 1; anchor: the token's button; walk: shows another token
 * @returns {object} a virtual node
 */
export function AlternativesDialog({ token, number, count, anchor, walk, close }) {
  const dialog = useRef(null);
  const home = useRef(anchor);
  home.current = anchor;
  useLayoutEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => {
      element.close();
      // The browser itself would go back to the token that was shown first.
      home.current()?.focus();
    };
  }, []);
  useLayoutEffect(() => {
    const button = anchor();
    button?.classList.add("shown");
    place(dialog.current, button);
    return () => button?.classList.remove("shown");
  }, [number]);
  const isOutside = (event) => event.target === dialog.current;
  return html`
    <dialog
      ref=${dialog}
      class="alternatives"
      aria-labelledby="alternatives-title"
      onClose=${close}
      onClick=${(event) => isOutside(event) && close()}
      onKeyDown=${(event) => onKey(event, walk)}
    >
      <div class="alternatives-body">
        <header>
          <h2 id="alternatives-title">Alternatives</h2>
          <span class="soft">token ${number} of ${count}</span>
        </header>
        <ol>
          ${alternatives(token).map((row, i) => html`<${Row} key=${i} row=${row} />`)}
        </ol>
        <footer>
          <button type="button" class="button small" disabled=${number === 1} onClick=${() => walk(-1)}>
            Previous
          </button>
          <button type="button" class="button small" disabled=${number === count} onClick=${() => walk(1)}>Next</button>
          <button type="button" class="button small" autofocus onClick=${close}>Close</button>
        </footer>
      </div>
    </dialog>
  `;
}

function Row({ row }) {
  const share = row.probability === null ? "not listed" : percent(row.probability);
  return html`
    <li class=${row.isChosen ? "chosen" : ""}>
      <code>${row.text}</code>
      <span class="share">${share}</span>
      ${row.isChosen && html`<span class="chosen-word">chosen</span>`}
      <span class="bar" aria-hidden="true"><i style=${{ width: `${(row.probability ?? 0) * 100}%` }}></i></span>
    </li>
  `;
}

function onKey(event, walk) {
  // Keys are for the dialog: Escape closes it, and stops nothing behind it.
  event.stopPropagation();
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  walk(step);
}

/** Near the token, inside the window; on phones the style sheet puts it at the bottom, and the token makes way. */
function place(dialog, button) {
  const box = button?.getClientRects()[0];
  if (!box) return;
  if (matchMedia(SHEET).matches) {
    button.scrollIntoView({ block: "start" });
    return;
  }
  const { offsetWidth: width, offsetHeight: height } = dialog;
  const left = Math.min(Math.max(MARGIN_PX, box.left), innerWidth - width - MARGIN_PX);
  const below = box.bottom + MARGIN_PX;
  const top = below + height < innerHeight ? below : Math.max(MARGIN_PX, box.top - height - MARGIN_PX);
  dialog.style.setProperty("--left", `${Math.max(MARGIN_PX, left)}px`);
  dialog.style.setProperty("--top", `${top}px`);
}
