/**
 * Cuts a Markdown text into blocks, line by line and in one pass: fenced code, or what stands between empty lines.
 *
 * A block may hold several of Markdown's own (a heading and the paragraph below it, a list with all its items); what
 * must be together is never apart. Blocks that are drawn together make a section. Of a growing text, lines that have
 * been read are not read again.
 */

// Characters after which the next section begins.
const SECTION = 1000;
// Enough to tell a text that has grown from another one.
const TAIL = 64;

const FENCE = /^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})/;
const ANY_FENCE = /^\s*(`{3,}(?=[^`\n]*$)|~{3,})/;
const LIST_MARK = /^\s*(?:[*+-]|\d{1,9}[.)])\s+/;
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
 * @returns {string[]}
 */
export function splitBlocks(text) {
  return new BlockReader().read(text).flat();
}

/** Reads a text that may grow. */
export class BlockReader {
  #cutter = new Cutter();
  #tail = "";

  /**
   * Cut a text into sections of blocks. If it is the one before with more at its end, only that is read.
   * @param {string} text
   * @returns {string[][]} joined they are the text, with line feeds for line ends
   */
  read(text) {
    const whole = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
    if (!whole.startsWith(this.#tail, this.#cutter.at - this.#tail.length)) this.#cutter = new Cutter();
    // A line that is not whole may still become any other.
    this.#cutter.readLines(whole, whole.lastIndexOf("\n") + 1);
    this.#tail = whole.slice(Math.max(0, this.#cutter.at - TAIL), this.#cutter.at);
    return this.#cutter.copy().finish(whole);
  }
}

/**
 * The parts of a block that is fenced code.
 * @param {string} block as `splitBlocks` makes it
 * @returns {null | {language: string, code: string}} null for other blocks
 */
export function fenceOf(block) {
  const text = block.replace(/^(?:[ \t]*\n)+/, "");
  const end = lineEnd(text, 0);
  const head = text.slice(0, end).replace(/\n$/, "");
  const opening = FENCE.exec(head);
  if (!opening) return null;
  const language = head.slice(opening[0].length).trim().split(/\s/, 1)[0];
  return { language, code: withoutMargin(codeOf(text, end, opening[1]), /^ */.exec(head)[0].length) };
}

/** What is between the fences. The closing one is the last line that is not empty, or it has not come yet. */
function codeOf(text, start, fence) {
  const trimmed = text.trimEnd();
  const last = Math.max(start, trimmed.lastIndexOf("\n") + 1);
  const isClosed = last < trimmed.length && closingOf(fence).test(trimmed.slice(last));
  return text.slice(start, isClosed ? last : text.length).replace(/\n$/, "");
}

function withoutMargin(code, margin) {
  return margin > 0 ? code.replace(new RegExp(`^ {1,${margin}}`, "gm"), "") : code;
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
  /** Where the next line begins. */
  at = 0;
  #sections = [];
  #sectionLength = Infinity;
  // Of the block that is open: where it begins and where its last line with words ends, whether there is one, whether
  // it is a list, whether empty lines came since.
  #start = 0;
  #end = 0;
  #hasWords = false;
  #isList = false;
  #isAfterEmpty = false;
  // What ends the code or HTML that goes on over empty lines, if there is some; whether the block ends with it.
  #until = null;
  #isFence = false;

  /** A cutter that can go on without changing this one. */
  copy() {
    const other = new Cutter();
    other.at = this.at;
    other.#sections = this.#sections.slice();
    // The last one may get another block, or more in its last one.
    if (other.#sections.length > 0) other.#sections.push(other.#sections.pop().slice());
    other.#sectionLength = this.#sectionLength;
    other.#start = this.#start;
    other.#end = this.#end;
    other.#hasWords = this.#hasWords;
    other.#isList = this.#isList;
    other.#isAfterEmpty = this.#isAfterEmpty;
    other.#until = this.#until;
    other.#isFence = this.#isFence;
    return other;
  }

  /** Read the lines up to `end`. */
  readLines(text, end) {
    while (this.at < end) {
      const next = lineEnd(text, this.at);
      const line = text.slice(this.at, text[next - 1] === "\n" ? next - 1 : next);
      this.#take(text, line, next);
      this.at = next;
    }
  }

  /** Read the rest, and give all sections. */
  finish(text) {
    this.readLines(text, text.length);
    this.#cut(text, text.length);
    return this.#sections;
  }

  #take(text, line, next) {
    if (this.#until) {
      this.#end = this.at + line.length;
      if (this.#until.test(line)) {
        this.#until = null;
        if (this.#isFence) this.#cut(text, next);
      }
      return;
    }
    if (EMPTY.test(line)) {
      this.#isAfterEmpty = this.#hasWords;
      return;
    }
    // Empty lines end a block, unless what follows belongs to it. They belong to the block after them.
    const goesOn = INDENTED.test(line) || (this.#isList && LIST_ITEM.test(line));
    if (this.#isAfterEmpty && !goesOn) this.#cut(text, this.#end);
    this.#isAfterEmpty = false;
    const opening = FENCE.exec(line);
    if (opening && !(this.#isList && INDENTED.test(line))) {
      if (this.#hasWords) this.#cut(text, this.at);
      this.#until = closingOf(opening[1]);
      this.#isFence = true;
    } else {
      this.#isList ||= LIST_ITEM.test(line);
      this.#isFence = false;
      this.#until = this.#isList ? endOfInnerFence(line) : endOfHtml(line);
    }
    this.#hasWords = true;
    this.#end = this.at + line.length;
  }

  #cut(text, end) {
    const block = text.slice(this.#start, end);
    if (this.#hasWords) this.#add(block);
    // What has no words belongs to the block before it, so that no block is nothing but space.
    else if (this.#sections.length > 0) this.#sections.at(-1).push(this.#sections.at(-1).pop() + block);
    this.#start = end;
    this.#hasWords = false;
    this.#isList = false;
    this.#isAfterEmpty = false;
  }

  /** Put a block into the open section; long ones and fenced code stay alone. */
  #add(block) {
    const isAlone = this.#isFence || block.length > SECTION;
    if (isAlone || this.#sectionLength > SECTION) {
      this.#sections.push([]);
      this.#sectionLength = 0;
    }
    this.#sections.at(-1).push(block);
    this.#sectionLength += isAlone ? Infinity : block.length;
  }
}

function endOfInnerFence(line) {
  const inner = ANY_FENCE.exec(line.replace(LIST_MARK, ""));
  return inner && new RegExp(`^\\s*${inner[1][0]}{${inner[1].length},}[ \\t]*$`);
}

function endOfHtml(line) {
  const found = HTML.find(([start]) => start.test(line));
  return found && !found[1].test(line) ? found[1] : null;
}
