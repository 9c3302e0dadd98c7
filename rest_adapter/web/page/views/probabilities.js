/** An answer whose tokens are tinted by their probability. */

import { Component, html, useRef, useState } from "../ui.js";
import { AlternativesDialog } from "./probabilities_dialog.js";
import { band, bandWords, chosenProbability, describe, shownTexts, visibleText } from "./probabilities_model.js";

// Tokens come one after another: only the last block is drawn again.
const BLOCK = 100;

/**
 * The tokens of an answer as buttons; each opens the list of its alternatives.
 * @param {{tokens: import("./probabilities_model.js").Token[]}} props
 * @returns {object} a virtual node
 */
export function TokenText({ tokens }) {
  const place = useRef(null);
  const [open, setOpen] = useState(null);
  const texts = shownTexts(tokens);
  const blocks = [];
  for (let from = 0; from < tokens.length; from += BLOCK) {
    const to = from + BLOCK;
    const block = html`<${TokenBlock} from=${from} tokens=${tokens.slice(from, to)} texts=${texts.slice(from, to)} />`;
    blocks.push(block);
  }
  const close = () => setOpen(null);
  const walk = (step) => {
    const next = buttonAt(place.current, open + step);
    if (!next) return;
    setActive(place.current, next);
    setOpen(open + step);
  };
  return html`
    <div
      class="tokens"
      role="group"
      aria-label="Tokens"
      ref=${place}
      onClick=${(event) => openAt(event, place.current, setOpen)}
      onKeyDown=${(event) => onKey(event, place.current, setOpen)}
    >
      ${blocks}
    </div>
    ${
      open !== null &&
      open < tokens.length &&
      html`<${AlternativesDialog}
        token=${tokens[open]}
        number=${open + 1}
        count=${tokens.length}
        anchor=${() => buttonAt(place.current, open)}
        walk=${walk}
        close=${close}
      />`
    }
  `;
}

/**
 * What the tints mean.
 * @returns {object} a virtual node
 */
export function ProbabilityLegend() {
  return html`
    <ul class="token-legend" aria-label="Probability of a token">
      ${bandWords().map(
        ({ name, words }) => html`<li key=${name}><span class=${`token ${name}`}>abc</span> ${words}</li>`,
      )}
    </ul>
  `;
}

class TokenBlock extends Component {
  shouldComponentUpdate({ tokens, texts }) {
    return differ(tokens, this.props.tokens) || differ(texts, this.props.texts);
  }

  render({ tokens, texts, from }) {
    return html`<span>${tokens.map((token, i) => tokenButton(token, texts[i], from + i))}</span>`;
  }
}

function differ(some, others) {
  return some.length !== others.length || some.some((item, i) => item !== others[i]);
}

// A span flows with the text and can be selected and copied with it; a button element could not. Only one token is
// in the tab order, the arrow keys reach the others: the tab index is changed in place and never drawn again.
function tokenButton(token, text, index) {
  const tint = band(chosenProbability(token));
  const words = describe(token);
  return html`<span
    key=${index}
    class=${text === "" ? `token byte ${tint}` : `token ${tint}`}
    role="button"
    aria-haspopup="dialog"
    aria-label=${`${token.text.trim() || visibleText(token.text)}, ${words}`}
    title=${words}
    data-index=${index}
    tabindex=${index === 0 ? 0 : -1}
    >${text}</span
  >`;
}

function openAt(event, place, setOpen) {
  const button = event.target.closest(".token");
  // The end of a selection with the mouse is no click.
  if (!button || !getSelection().isCollapsed) return;
  setActive(place, button);
  setOpen(Number(button.dataset.index));
}

function onKey(event, place, setOpen) {
  const button = event.target.closest(".token");
  if (!button || event.ctrlKey || event.altKey || event.metaKey) return;
  const index = Number(button.dataset.index);
  if (event.key === "Enter" || event.key === " ") {
    setActive(place, button);
    setOpen(index);
  } else {
    const next = target(event.key, place, index);
    if (!next) return;
    setActive(place, next);
  }
  event.preventDefault();
}

function target(key, place, index) {
  switch (key) {
    case "ArrowRight":
      return buttonAt(place, index + 1);
    case "ArrowLeft":
      return buttonAt(place, index - 1);
    case "ArrowDown":
      return inNextLine(place, index, 1);
    case "ArrowUp":
      return inNextLine(place, index, -1);
    case "Home":
      return buttonAt(place, 0);
    case "End":
      return place.querySelector(".tokens > span:last-of-type > .token:last-of-type");
    default:
      return null;
  }
}

/** The token of the line below (or above) that is nearest to the side. */
function inNextLine(place, index, step) {
  const start = buttonAt(place, index).getClientRects()[0];
  let best = null;
  for (let i = index + step; ; i += step) {
    const button = buttonAt(place, i);
    const box = button?.getClientRects()[0];
    if (!button || !box) return best?.button ?? null;
    const lines = Math.abs(box.top - start.top);
    if (lines < start.height / 2) continue;
    if (best && Math.abs(box.top - best.top) > start.height / 2) return best.button;
    const distance = Math.abs(box.left - start.left);
    if (!best || distance < best.distance) best = { button, distance, top: box.top };
  }
}

function buttonAt(place, index) {
  return place?.querySelector(`[data-index="${index}"]`) ?? null;
}

function setActive(place, button) {
  for (const other of place.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  button.tabIndex = 0;
  button.focus();
}
