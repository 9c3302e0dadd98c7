/**
 * Markdown to HTML, block by block, so that a growing text costs no more than its end.
 *
 * HTML in the text stays text, images become links, and links leave the page: nothing that a model writes loads
 * anything. The result still goes through a sanitiser before it reaches the document (views/markdown_text.js).
 */

import { Marked, Renderer } from "../../vendor/marked.js";

const SAFE_ADDRESS = /^(https?:|mailto:)/i;
// A list may go on after what looked like a paragraph: "2" comes before "2.".
const N_OPEN_BLOCKS = 2;

const marked = new Marked({ gfm: true, breaks: true });

/**
 * @callback Highlight
 * @param {string} code
 * @param {string} language as the text names it; "" if it does not
 * @returns {string | null} HTML, or null where the language is not known
 */

/**
 * Cut a text into blocks that can be rendered one by one. Joined they are the text, with line feeds for line ends.
 * @param {string} text
 * @param {string[]} [before] the blocks of a beginning of the text; those that are finished are kept
 * @returns {string[]}
 */
export function splitBlocks(text, before = []) {
  const whole = text.replace(/\r\n?/g, "\n");
  const kept = before.slice(0, Math.max(0, before.length - N_OPEN_BLOCKS));
  const beginning = kept.join("");
  if (!whole.startsWith(beginning)) return blocksOf(whole);
  return [...kept, ...blocksOf(whole.slice(beginning.length))];
}

/**
 * The definitions of link addresses in a text ("[name]: https://..."), which any block may refer to.
 * @param {string} text
 * @returns {string} "" if there are none
 */
export function linkDefinitions(text) {
  if (!/^ {0,3}\[[^\]\n]+\]:/m.test(text)) return "";
  return marked
    .lexer(text)
    .filter((token) => token.type === "def")
    .map((token) => token.raw.trim())
    .join("\n");
}

/**
 * One block, or a whole text, as HTML.
 * @param {string} source
 * @param {{highlight?: Highlight | null, definitions?: string}} [settings]
 * @returns {string}
 */
export function toHtml(source, { highlight = null, definitions = "" } = {}) {
  const renderer = new QuietRenderer(highlight);
  return marked.parse(definitions ? `${source}\n\n${definitions}` : source, { renderer, async: false });
}

/**
 * Text with the characters replaced that mean something in HTML.
 * @param {string} text
 * @returns {string}
 */
export function escapeHtml(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

function blocksOf(text) {
  const blocks = [];
  let space = "";
  for (const { type, raw } of tokensOf(text)) {
    // Empty lines belong to the block after them, so that the last block is never nothing but space.
    if (type === "space") {
      space += raw;
    } else {
      blocks.push(space + raw);
      space = "";
    }
  }
  if (space && blocks.length) blocks[blocks.length - 1] += space;
  return blocks;
}

function tokensOf(text) {
  const tokens = marked.lexer(text);
  // Should the lexer drop or replace anything, the text is one block.
  const isWhole = tokens.reduce((length, { raw }) => length + raw.length, 0) === text.length;
  return isWhole ? tokens : [{ type: "text", raw: text }];
}

class QuietRenderer extends Renderer {
  constructor(highlight) {
    super();
    this.highlight = highlight;
  }

  html({ text, block }) {
    return block ? `<p>${escapeHtml(text.trim())}</p>\n` : escapeHtml(text);
  }

  code({ text, lang }) {
    return codeBlock(text, (lang ?? "").trim().split(/\s+/)[0], this.highlight);
  }

  image({ href, text }) {
    return link(href, escapeHtml(text || href));
  }

  link({ href, tokens }) {
    return link(href, this.parser.parseInline(tokens));
  }

  table(token) {
    return `<div class="table" tabindex="0">${super.table(token)}</div>`;
  }

  // A model that writes tasks means them as text: boxes to tick would do nothing.
  checkbox({ checked }) {
    return checked ? "\u2611 " : "\u2610 ";
  }
}

function link(address, label) {
  const trimmed = address.trim();
  if (!SAFE_ADDRESS.test(trimmed)) return label;
  return `<a href="${escapeHtml(trimmed)}" target="_blank" rel="noopener noreferrer">${label}</a>`;
}

function codeBlock(code, language, highlight) {
  const name = escapeHtml(language);
  const body = highlight?.(code, language) ?? escapeHtml(code);
  return (
    `<div class="code-block"><div class="code-head"><span>${name || "text"}</span>` +
    `<button type="button" class="button quiet small copy-code">Copy code</button></div>` +
    `<pre tabindex="0"><code>${body}\n</code></pre></div>\n`
  );
}
