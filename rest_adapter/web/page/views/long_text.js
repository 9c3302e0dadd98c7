/** A text of any length, as it is, in pieces: of a growing one only the last is written again. */

import { Component, html } from "../ui.js";

const PIECE = 4000;

/**
 * A text without a form.
 * @param {{text: string}} props
 * @returns {object} virtual nodes
 */
export function LongText({ text }) {
  const pieces = [];
  for (let at = 0; at < text.length; at += PIECE) pieces.push(text.slice(at, at + PIECE));
  return pieces.map((piece, number) => html`<${Piece} key=${number} text=${piece} />`);
}

class Piece extends Component {
  shouldComponentUpdate({ text }) {
    return text !== this.props.text;
  }

  render({ text }) {
    return html`<span>${text}</span>`;
  }
}
