/**
 * Markdown to HTML, block by block, so that a growing text costs no more than its end, in time that grows with the
 * text and no faster: what would take too long, or cannot be made into a document, stays the text that it is.
 *
 * HTML in the text stays text, images become links, and links leave the page: nothing that a model writes loads
 * anything. The result still goes through a sanitiser before it reaches the document (views/markdown_text.js).
 */

import { Marked, Parser, Renderer } from "../../vendor/marked.js";
import { fenceOf, splitBlocks } from "./blocks.js";
import { BoundedLexer } from "./bounded_lexer.js";

/** Characters of a block that is made into a document; fenced code may have more. */
export const MAX_BLOCK = 16_000;
/** Characters of code that is coloured, and of each of its lines: what colours looks at a line again and again. */
export const MAX_COLOURED = 8_000;
export const MAX_COLOURED_LINE = 300;
/** Link addresses that are defined apart from their links; more are not looked up. */
export const MAX_DEFINITIONS = 100;

const SAFE_ADDRESS = /^(https?:|mailto:)/i;

const { defaults } = new Marked({ gfm: true, breaks: true });

/**
 * @callback Highlight
 * @param {string} code
 * @param {string} language as the text names it; "" if it does not
 * @returns {string | null} HTML, or null where the language is not known
 */

/**
 * @typedef {Object<string, {href: string, title: string}>} Definitions
 */

/**
 * The link addresses that a text defines ("[name]: https://..."), which any block may refer to.
 * @param {string} text
 * @returns {Definitions | null} null if there are none
 */
export function linkDefinitions(text) {
  if (!hasDefinition(text)) return null;
  const definitions = Object.create(null);
  let count = 0;
  for (const block of splitBlocks(text)) {
    if (!hasDefinition(block) || fenceOf(block)) continue;
    for (const [name, address] of Object.entries(definitionsIn(block))) {
      if (count >= MAX_DEFINITIONS) return definitions;
      if (Object.hasOwn(definitions, name)) continue;
      definitions[name] = address;
      count += 1;
    }
  }
  return count > 0 ? definitions : null;
}

/**
 * A block as HTML.
 * @param {string} source
 * @param {{highlight?: Highlight | null, definitions?: Definitions | null}} [settings]
 * @returns {string}
 */
export function toHtml(source, { highlight = null, definitions = null } = {}) {
  const fence = fenceOf(source);
  if (fence) return codeBlock(fence.code, fence.language, highlight);
  if (source.length > MAX_BLOCK) return plain(source);
  try {
    const tokens = lexed(source, definitions);
    return new Parser({ ...defaults, renderer: new QuietRenderer(highlight) }).parse(tokens);
  } catch {
    // Too much work, or a fault of the parser: the words count more than their form.
    return plain(source);
  }
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

function plain(source) {
  return `<div class="plain">${escapeHtml(source.replace(/^\n+/, ""))}</div>\n`;
}

function lexed(source, definitions) {
  const lexer = new BoundedLexer(defaults);
  Object.assign(lexer.tokens.links, definitions);
  return lexer.lex(source);
}

function hasDefinition(text) {
  return /^ {0,3}\[[^\]\n]{1,999}\]:/m.test(text);
}

function definitionsIn(block) {
  if (block.length > MAX_BLOCK) return {};
  try {
    return lexed(block, null).links;
  } catch {
    return {};
  }
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
  const body = coloured(code, language, highlight) ?? escapeHtml(code);
  return (
    `<div class="code-block"><div class="code-head"><span>${name || "text"}</span>` +
    `<button type="button" class="button quiet small copy-code">Copy code</button></div>` +
    `<pre tabindex="0"><code>${body}\n</code></pre></div>\n`
  );
}

function coloured(code, language, highlight) {
  if (!highlight || code.length > MAX_COLOURED || longestLine(code) > MAX_COLOURED_LINE) return null;
  try {
    return highlight(code, language);
  } catch {
    return null;
  }
}

function longestLine(text) {
  return text.split("\n").reduce((longest, line) => Math.max(longest, line.length), 0);
}
