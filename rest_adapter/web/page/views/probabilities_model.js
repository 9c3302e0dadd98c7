/** What the probabilities view knows about tokens: plain functions without a page. */

/**
 * @typedef {{tok_str: string, prob: number}} Candidate
 * @typedef {{text: string, probs: Candidate[]}} Token a generated token and what could have stood in its place
 */

const BYTE = /^byte: \\x([0-9a-f]{2})$/;
// Lower ends of the bands, from the most to the least probable.
const BANDS = [0.9, 0.6, 0.3, 0.1, 0];

/**
 * The probability that the sampler gave to the token that it chose.
 * @param {Token} token
 * @returns {number | null} null if the token is not among its listed candidates
 */
export function chosenProbability(token) {
  return token.probs.find((candidate) => candidate.tok_str === token.text)?.prob ?? null;
}

/**
 * The name of the tint for a probability.
 * @param {number | null} probability
 * @returns {string} "p4" (nearly sure) to "p0" (a surprise), or "pn" for a token that is not in its list
 */
export function band(probability) {
  if (probability === null) return "pn";
  return `p${BANDS.length - 1 - BANDS.findIndex((least) => probability >= least)}`;
}

/**
 * The bands with their words, for a legend.
 * @returns {{name: string, words: string}[]}
 */
export function bandWords() {
  const words = BANDS.map((least, i) => {
    if (least === 0) return `below ${percent(BANDS[i - 1])}`;
    return i === 0 ? `${percent(least)} or more` : `${percent(least)} to ${percent(BANDS[i - 1])}`;
  });
  return [
    ...words.map((text, i) => ({ name: `p${BANDS.length - 1 - i}`, words: text })),
    { name: "pn", words: "not in the list" },
  ];
}

/**
 * A probability as people read it: fewer digits where they say nothing.
 * @param {number} probability
 * @returns {string}
 */
export function percent(probability) {
  const hundredths = probability * 100;
  if (probability > 0 && hundredths < 0.1) return "<0.1%";
  // Rounding must not make sure what is not.
  return probability < 1 && hundredths >= 99.95 ? ">99.9%" : `${Number(hundredths.toFixed(1))}%`;
}

/**
 * A token's text with its blanks made visible, for lists.
 * @param {string} text
 * @returns {string}
 */
export function visibleText(text) {
  const bytes = BYTE.exec(text);
  if (bytes) return `byte ${bytes[1].toUpperCase()}`;
  if (text === "") return "(end of text)";
  return text.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll("\r", "␍");
}

/**
 * What each token adds to the visible text. The first of several bytes that make one character shows it, the others
 * show nothing; bytes that make no character are shown by their number.
 * @param {Token[]} tokens
 * @returns {string[]} as many as tokens
 */
export function shownTexts(tokens) {
  const texts = [];
  for (let i = 0; i < tokens.length;) {
    const run = byteRun(tokens, i);
    if (run.length === 0) texts.push(tokens[i].text);
    else texts.push(...textsOfBytes(run));
    i += Math.max(1, run.length);
  }
  return texts;
}

/**
 * Says what a token is, for a screen reader and on hover.
 * @param {Token} token
 * @returns {string}
 */
export function describe(token) {
  const probability = chosenProbability(token);
  return probability === null ? "not among the listed tokens" : percent(probability);
}

/**
 * The rows of the list of alternatives: the candidates as listed, and the chosen token if it is not one of them.
 * @param {Token} token
 * @returns {{text: string, probability: number | null, isChosen: boolean}[]}
 */
export function alternatives(token) {
  const chosen = token.probs.findIndex((candidate) => candidate.tok_str === token.text);
  const rows = token.probs.map(({ tok_str, prob }, i) => ({
    text: visibleText(tok_str),
    probability: prob,
    isChosen: i === chosen,
  }));
  if (chosen < 0) rows.push({ text: visibleText(token.text), probability: null, isChosen: true });
  return rows;
}

function byteRun(tokens, from) {
  const bytes = [];
  for (let i = from; i < tokens.length; i += 1) {
    const match = BYTE.exec(tokens[i].text);
    if (!match) break;
    bytes.push(Number.parseInt(match[1], 16));
  }
  return bytes;
}

function textsOfBytes(bytes) {
  const texts = [];
  while (texts.length < bytes.length) {
    const rest = bytes.slice(texts.length);
    const length = characterLength(rest);
    if (length === 0) texts.push(`\\x${rest[0].toString(16)}`);
    else texts.push(decode(rest.slice(0, length)), ...Array(length - 1).fill(""));
  }
  return texts;
}

function characterLength(bytes) {
  const length = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
  return bytes.length >= length && decode(bytes.slice(0, length)) !== null ? length : 0;
}

function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}
