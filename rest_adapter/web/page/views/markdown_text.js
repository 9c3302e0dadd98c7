/** A Markdown text in the document. While it grows, blocks that are finished are not touched again. */

import createPurifier from "../../vendor/dompurify.js";
import { linkDefinitions, splitBlocks, toHtml } from "../text/markdown.js";
import { Component, html, signal, useEffect, useRef } from "../ui.js";
import { copyText } from "./copy.js";

// More than the converter makes is not let through, whatever it was made of.
const ALLOWED = {
  ALLOWED_TAGS: (
    "a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr i li ol p pre span strong sub sup " +
    "table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["align", "class", "href", "rel", "start", "tabindex", "target", "type"],
};
// Colouring code takes time that grows with it; a block above this stays plain while it grows.
const MOST_CODE_WHILE_GROWING = 8000;

/** The module that colours code, or null until a text with code has made it load. */
const highlighter = signal(null);
let loading = null;

/**
 * A text of a model, as a document.
 * @param {{text: string, isGrowing?: boolean}} props
 * @returns {object} a virtual node
 */
export function MarkdownText({ text, isGrowing = false }) {
  const blocks = useRef([]);
  blocks.current = splitBlocks(text, isGrowing ? blocks.current : []);
  const definitions = isGrowing ? "" : linkDefinitions(text);
  const hasCode = text.includes("```") || text.includes("~~~");
  useEffect(() => {
    if (hasCode) loadHighlighter();
  }, [hasCode]);
  const last = blocks.current.length - 1;
  return html`
    <div class="markdown" onClick=${copyCode}>
      ${blocks.current.map((source, number) => {
        const isPlain = isGrowing && number === last && source.length > MOST_CODE_WHILE_GROWING;
        const highlight = hasCode && !isPlain ? highlighter.value : null;
        return html`<${Block} key=${number} source=${source} definitions=${definitions} highlight=${highlight} />`;
      })}
    </div>
  `;
}

class Block extends Component {
  shouldComponentUpdate({ source, definitions, highlight }) {
    const now = this.props;
    return source !== now.source || definitions !== now.definitions || highlight !== now.highlight;
  }

  render({ source, definitions, highlight }) {
    const made = createPurifier.sanitize(toHtml(source, { definitions, highlight }), ALLOWED);
    return html`<div class="block" dangerouslySetInnerHTML=${{ __html: made }}></div>`;
  }
}

async function loadHighlighter() {
  loading ??= import("../../vendor/highlight.js");
  try {
    const { default: hljs } = await loading;
    highlighter.value ??= (code, language) => colour(hljs, code, language);
  } catch {
    // The server went away: the code stays readable, and the next text with code tries again.
    loading = null;
  }
}

function colour(hljs, code, language) {
  if (!hljs.getLanguage(language)) return null;
  return hljs.highlight(code, { language, ignoreIllegals: true }).value;
}

function copyCode(event) {
  const button = event.target.closest(".copy-code");
  if (button) copyText(button.closest(".code-block").querySelector("code"), button);
}
