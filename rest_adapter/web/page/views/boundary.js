/** Keeps a fault of one part of the page from taking the others with it. */

import { Component, html } from "../ui.js";

/**
 * Shows its children; if one of them raises an error, a word about it in their place, with what to do.
 *
 * Props: `name`, what the words call the part, for example "The monitor"; `text`, what the part would have shown, if it
 * is words; `about`, with whose change the children get another chance.
 */
export class Boundary extends Component {
  state = { error: null };

  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  componentWillReceiveProps({ about }) {
    if (about !== this.props.about) this.setState({ error: null });
  }

  render({ name, text = "", children }, { error }) {
    if (error === null) return children;
    return html`
      <div class="broken">
        <p role="alert"><strong>${name} cannot be shown.</strong> The rest of the page works; nothing is lost.</p>
        <p>Try again, or load the page again. If it stays so, report it with these words: ${wordsOf(error)}</p>
        <p class="broken-buttons">
          <button type="button" class="button small" onClick=${() => this.setState({ error: null })}>Try again</button>
          <button type="button" class="button small" onClick=${() => location.reload()}>Load the page again</button>
        </p>
        ${text && html`<pre class="plain">${text}</pre>`}
      </div>
    `;
  }
}

function wordsOf(error) {
  const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return html`<code>${words.slice(0, 300)}</code>`;
}
