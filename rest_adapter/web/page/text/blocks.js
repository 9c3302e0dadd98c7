/**
 * Cuts a Markdown text into blocks, line by line and in one pass: fenced code, or what stands between empty lines.
 *
 * A block may hold several of Markdown's own (a heading and the paragraph below it, a list with all its items); what
 * must be together is never apart.
 */

// A list may go on after what looked like a paragraph: "2" comes before "2.".
const N_OPEN_BLOCKS = 2;

// Characters after which the next section begins.
const SECTION = 1000;

const STARTS_WITH_FENCE = /^(?:[ \t]*\n)* {0,3}(?:```|~~~)/;
const FENCE = /^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})/;
const ANY_FENCE = /^\s*(`{3,}(?=[^`\n]*$)|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[*+-]|\d{1,9}[.)])(?:[ \t]|$)/;
const INDENTED = /^(?: {2}|\t)/;
const EMPTY = /^[ \t]*$/;
// HTML that goes on behind empty lines, and what ends it.
const HTML = [
  [/^ {0,3}<(?:script|pre|style|textarea)(?:[\s>]|$)/i, /<\/(?:script|pre|style|textarea)>/i],
  [/^ {0,3}<!--/, /-->/],
  [/^ {0,3}<\?/, /\?>/],
  [/^ {0,3}<!\[CDATA\[/, /\]\]>/],
];

/**
 * Cut a text into blocks. Joined they are the text, with line feeds for line ends.
 * @param {string} text
 * @param {string[]} [before] the blocks of a beginning of the text; those that are finished are kept
 * @returns {string[]}
 */
export function splitBlocks(text, before = []) {
  const whole = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  const kept = before.slice(0, Math.max(0, before.length - N_OPEN_BLOCKS));
  const length = kept.reduce((sum, block) => sum + block.length, 0);
  if (!isBeginning(kept, whole)) return new Cutter(whole, 0).blocks();
  return [...kept, ...new Cutter(whole, length).blocks()];
}

/**
 * Put blocks together that are drawn together: as many as make a good portion; long ones and fenced code stay alone.
 * @param {string[]} blocks
 * @returns {string[][]} of a longer list of blocks, all but the last are the same
 */
export function sectionsOf(blocks) {
  const sections = [];
  let length = Infinity;
  for (const block of blocks) {
    const isAlone = block.length > SECTION || STARTS_WITH_FENCE.test(block);
    if (isAlone || length > SECTION) {
      sections.push([]);
      length = 0;
    }
    sections.at(-1).push(block);
    length += isAlone ? Infinity : block.length;
  }
  return sections;
}

/**
 * The parts of a block that is fenced code and nothing else.
 * @param {string} source
 * @returns {null | {language: string, code: string}} null for other blocks
 */
export function fenceOf(source) {
  const text = source.replace(/^(?:[ \t]*\n)+/, "");
  const end = lineEnd(text, 0);
  const head = text.slice(0, end).replace(/\n$/, "");
  const opening = FENCE.exec(head);
  if (!opening) return null;
  const margin = /^ */.exec(head)[0].length;
  const lines = text.slice(end).split("\n");
  // What follows the last line feed is no line, and neither are empty lines below the closing fence.
  if (lines.at(-1) === "") lines.pop();
  const closing = closingOf(opening[1]);
  const at = lines.findIndex((line) => closing.test(line));
  if (at >= 0 && lines.slice(at + 1).some((line) => !EMPTY.test(line))) return null;
  const code = at < 0 ? lines : lines.slice(0, at);
  const indented = new RegExp(`^ {1,${Math.max(1, margin)}}`);
  return {
    language: head.slice(opening[0].length).trim().split(/\s/, 1)[0],
    code: (margin > 0 ? code.map((line) => line.replace(indented, "")) : code).join("\n"),
  };
}

function isBeginning(blocks, text) {
  let at = 0;
  for (const block of blocks) {
    if (!text.startsWith(block, at)) return false;
    at += block.length;
  }
  return true;
}

function lineEnd(text, start) {
  const found = text.indexOf("\n", start);
  return found < 0 ? text.length : found + 1;
}

function closingOf(fence) {
  return new RegExp(`^ {0,3}${fence[0]}{${fence.length},}[ \\t]*$`);
}

/** Walks over the lines of a text once. */
class Cutter {
  #text;
  #start;
  #at;
  #blocks = [];
  // Of the block that is open: whether it has more than empty lines, whether it began as a list.
  #hasWords = false;
  #isList = false;

  constructor(text, start) {
    this.#text = text;
    this.#start = start;
    this.#at = start;
  }

  blocks() {
    while (this.#at < this.#text.length) this.#takeLine();
    this.#cut(this.#text.length);
    return this.#blocks;
  }

  #takeLine() {
    const end = lineEnd(this.#text, this.#at);
    const line = this.#line(end);
    if (EMPTY.test(line)) {
      this.#at = end;
      this.#takeEmptyLines();
      return;
    }
    const opening = FENCE.exec(line);
    if (opening && !(this.#isList && INDENTED.test(line))) {
      this.#takeFence(opening[1], end);
      return;
    }
    if (!this.#hasWords) {
      this.#hasWords = true;
      this.#isList = LIST_ITEM.test(line);
    } else if (LIST_ITEM.test(line)) {
      this.#isList = true;
    }
    this.#at = end;
    const inner = ANY_FENCE.exec(line.replace(/^\s*(?:[*+-]|\d{1,9}[.)])\s+/, ""));
    if (this.#isList && inner) this.#skipTo(new RegExp(`^\\s*${inner[1][0]}{${inner[1].length},}[ \\t]*$`));
    else this.#skipHtml(line);
  }

  /** Empty lines end a block, unless what follows belongs to it. They belong to the block after them. */
  #takeEmptyLines() {
    const start = this.#at;
    let next = start;
    while (next < this.#text.length && EMPTY.test(this.#lineAt(next))) next = lineEnd(this.#text, next);
    const line = this.#lineAt(next);
    this.#at = next;
    if (!this.#hasWords || next >= this.#text.length) return;
    const goesOn = INDENTED.test(line) || (this.#isList && LIST_ITEM.test(line));
    if (!goesOn) this.#cut(this.#endOfWords(start));
  }

  /** Where the last line with words ends, before `at`, without its line feed. */
  #endOfWords(at) {
    let end = at - 1;
    while (end > this.#start && " \t\n".includes(this.#text[end - 1])) end -= 1;
    return end;
  }

  #takeFence(fence, end) {
    if (this.#hasWords) this.#cut(this.#at);
    this.#at = end;
    this.#skipTo(closingOf(fence));
    this.#cut(this.#at);
  }

  #skipHtml(line) {
    const found = HTML.find(([start]) => start.test(line));
    if (found && !found[1].test(line)) this.#skipTo(found[1]);
  }

  /** Go behind the next line in which `pattern` is, or to the end. */
  #skipTo(pattern) {
    while (this.#at < this.#text.length) {
      const line = this.#lineAt(this.#at);
      this.#at = lineEnd(this.#text, this.#at);
      if (pattern.test(line)) return;
    }
  }

  #cut(end) {
    if (end > this.#start) {
      const source = this.#text.slice(this.#start, end);
      // What has no words belongs to the block before it, so that no block is nothing but space.
      if (EMPTY.test(source.replaceAll("\n", "")) && this.#blocks.length > 0) this.#blocks.push(this.#blocks.pop() + source);
      else if (!EMPTY.test(source.replaceAll("\n", ""))) this.#blocks.push(source);
    }
    this.#start = end;
    this.#hasWords = false;
    this.#isList = false;
  }

  #line(end) {
    return this.#text.slice(this.#at, this.#text[end - 1] === "\n" ? end - 1 : end);
  }

  #lineAt(start) {
    const end = lineEnd(this.#text, start);
    return this.#text.slice(start, this.#text[end - 1] === "\n" ? end - 1 : end);
  }
}
