/** The generated part of the completion's text, marked behind the text box. */

import { Component, html } from "../ui.js";
import { completionResult, completionText } from "../state/completion_session.js";
import { band, chosenProbability, shownTexts } from "./probabilities_model.js";

// Tokens come one after another: only the last block is drawn again.
const BLOCK = 100;

/**
 * Lies behind the text box with the same text, so that its marks and its height are those of the text box.
 * @returns {object} a virtual node
 */
export function HighlightedText() {
  const text = completionText.value;
  const result = completionResult.value;
  const start = Math.min(result?.start ?? text.length, text.length);
  const generated = text.slice(start);
  return html`
    <div class="completion-marks" aria-hidden="true">
      ${text.slice(0, start)}<${Marks} text=${generated} tokens=${result?.tokens ?? []} />${"\n"}
    </div>
  `;
}

function Marks({ text, tokens }) {
  const pieces = piecesOf(text, tokens);
  const blocks = [];
  for (let from = 0; from < pieces.length; from += BLOCK) {
    blocks.push(html`<${Block} key=${from} pieces=${pieces.slice(from, from + BLOCK)} />`);
  }
  return blocks;
}

class Block extends Component {
  shouldComponentUpdate({ pieces }) {
    const mine = this.props.pieces;
    return (
      pieces.length !== mine.length ||
      pieces.some(({ text, tint }, i) => text !== mine[i].text || tint !== mine[i].tint)
    );
  }

  render({ pieces }) {
    return pieces.map(({ tint, text }, i) => html`<mark key=${i} class=${tint}>${text}</mark>`);
  }
}

/** The generated text in pieces with their tints; one piece of none where it has been edited since. */
function piecesOf(text, tokens) {
  const texts = shownTexts(tokens);
  const pieces = [];
  let end = 0;
  for (let i = 0; i < tokens.length && text.startsWith(texts[i], end); i += 1) {
    pieces.push({ tint: band(chosenProbability(tokens[i])), text: texts[i] });
    end += texts[i].length;
  }
  if (end < text.length) pieces.push({ tint: "plain", text: text.slice(end) });
  return pieces;
}
