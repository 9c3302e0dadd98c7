/**
 * A lexer that gives up texts that would take it too long or too deep.
 *
 * Some texts cost a Markdown parser the square of their length, or a call of a function for every character: thousands
 * of ">", of open brackets, of blanks. Answers never look like that, unless a model loops. So the work is counted
 * before it is done, in characters that may have to be looked at, and a text that needs too much of it is left alone.
 */

import { Lexer } from "../../vendor/marked.js";

/** Most quotes, lists, links and emphases within each other. */
export const MAX_DEPTH = 24;
/** Most work for one block. A page of prose needs a twentieth. */
export const MAX_WORK = 2_000_000;

// A cell of a table is work for the document, too.
const CELL_WORK = 200;
const MARKS = new Set("*_~`[]()<>!&\\|:@#\n");

/** The text is not worth the work. */
export class TooMuch extends Error {
  name = "TooMuch";
}

/** Lexes one block, or throws TooMuch. */
export class BoundedLexer extends Lexer {
  /** The work so far. */
  work = 0;
  #depth = 0;

  blockTokens(source, ...more) {
    return this.#within(blockWork(source), () => super.blockTokens(source, ...more));
  }

  inlineTokens(source, ...more) {
    return this.#within(inlineWork(source), () => super.inlineTokens(source, ...more));
  }

  #within(work, lex) {
    this.work += work;
    if (this.work > MAX_WORK) throw new TooMuch(`more work than ${MAX_WORK}`);
    if (this.#depth >= MAX_DEPTH) throw new TooMuch(`deeper than ${MAX_DEPTH}`);
    this.#depth += 1;
    try {
      return lex();
    } finally {
      this.#depth -= 1;
    }
  }
}

/** At every mark, and at the start of every run, an expression may look at all the rest. */
function inlineWork(source) {
  let nMarks = 0;
  let longest = 0;
  let run = 0;
  let isBlank = false;
  for (let i = 0; i < source.length; i += 1) {
    const character = source[i];
    if (MARKS.has(character)) nMarks += 1;
    if ((character === " ") !== isBlank) {
      isBlank = !isBlank;
      run = 0;
    }
    run += 1;
    if (run > longest) longest = run;
  }
  return source.length * (1 + nMarks + longest);
}

/** Rows of a table have all its columns, and the lines of a quote are put together again for each part of it. */
function blockWork(source) {
  const nLines = count(source, "\n") + 1;
  let work = source.length;
  if (/^ {0,3}>/m.test(source)) work += nLines * nLines;
  for (const [delimiters] of source.matchAll(/^[ \t>|:-]+$/gm)) {
    if (delimiters.includes("|")) work += CELL_WORK * nLines * (count(delimiters, "|") + 1);
  }
  return work;
}

function count(text, character) {
  let n = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) n += 1;
  return n;
}
