/**
 * A Markdown text in the document. While it grows, sections that are finished are not touched again, and what is drawn
 * for each piece is bounded, however long the text is.
 */

import createPurifier from "../../vendor/dompurify.js";
import { BlockReader, fenceOf } from "../text/blocks.js";
import { MAX_BLOCK, linkDefinitions, toHtml } from "../text/markdown.js";
import { Component, html, signal, useEffect, useMemo, useRef } from "../ui.js";
import { copyText } from "./copy.js";
import { LongText } from "./long_text.js";

// More than the converter makes is not let through, whatever it was made of.
const ALLOWED = {
  ALLOWED_TAGS: (
    "a b blockquote br button code del div em h1 h2 h3 h4 h5 h6 hr i li ol p pre span strong sub sup " +
    "table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["align", "class", "href", "rel", "start", "tabindex", "target", "type"],
};
// A growing block of more characters is drawn in pieces, if it is code or a text without a form.
const MOST_DRAWN_ANEW = 4000;
/** Characters of a text that become a document; the rest is shown as it is. */
const MOST_FORMATTED = 200_000;

/** The module that colours code, or null until a text with code has made it load. */
const highlighter = signal(null);
let loading = null;

/**
 * A text of a model, as a document.
 * @param {{text: string, isGrowing?: boolean}} props
 * @returns {object} a virtual node
 */
export function MarkdownText({ text, isGrowing = false }) {
  const reader = useRef(null);
  if (!isGrowing || !reader.current) reader.current = new BlockReader();
  const formatted = text.length > MOST_FORMATTED ? text.slice(0, MOST_FORMATTED) : text;
  const sections = reader.current.read(formatted);
  const definitions = useMemo(() => (isGrowing ? null : linkDefinitions(formatted)), [isGrowing || formatted]);
  const hasCode = formatted.includes("```") || formatted.includes("~~~");
  useEffect(() => {
    if (hasCode) loadHighlighter();
  }, [hasCode]);
  const highlight = hasCode ? highlighter.value : null;
  return html`
    <div class="markdown" onClick=${copyCode}>
      ${sections.map((section, number) => {
        const isLong = isGrowing && number === sections.length - 1 && section[0].length > MOST_DRAWN_ANEW;
        return (
          (isLong && longBlock(section[0])) ||
          html`<${Section} key=${number} blocks=${section} definitions=${definitions} highlight=${highlight} />`
        );
      })}
      ${text.length > MOST_FORMATTED && html`<${Rest} text=${text.slice(MOST_FORMATTED)} />`}
    </div>
  `;
}

class Section extends Component {
  shouldComponentUpdate({ blocks, definitions, highlight }) {
    const now = this.props;
    const isSame = blocks.length === now.blocks.length && blocks.every((block, i) => block === now.blocks[i]);
    return !isSame || definitions !== now.definitions || highlight !== now.highlight;
  }

  render({ blocks, definitions, highlight }) {
    const made = blocks.map((source) => toHtml(source, { definitions, highlight })).join("");
    const clean = createPurifier.sanitize(made, ALLOWED);
    return html`<div class="block" dangerouslySetInnerHTML=${{ __html: clean }}></div>`;
  }
}

/** A growing block that must not be drawn anew at each step: code, and what gets no form. Nothing for others. */
function longBlock(source) {
  const code = fenceOf(source);
  if (code) return html`<${GrowingCode} key="code" ...${code} />`;
  if (source.length <= MAX_BLOCK) return null;
  return html`<div key="plain" class="block"><div class="plain"><${LongText} text=${source.trimStart()} /></div></div>`;
}

/** As the converter makes it, but for what can be done with code that is not finished. */
function GrowingCode({ language, code }) {
  return html`
    <div class="block">
      <div class="code-block">
        <div class="code-head"><span>${language || "text"}</span></div>
        <pre tabindex="0"><code><${LongText} text=${code} /></code></pre>
      </div>
    </div>
  `;
}

function Rest({ text }) {
  return html`
    <div class="block">
      <p class="soft">From here on the text is shown as it is: it is too long to be formatted.</p>
      <div class="plain"><${LongText} text=${text} /></div>
    </div>
  `;
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
