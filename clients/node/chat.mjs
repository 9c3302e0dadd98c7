#!/usr/bin/env node
// A chat in the terminal: how to talk to the server's REST API from Node, without any package.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

const HELP = `usage: node chat.mjs [options]

A line is a question; its answer comes as it is generated. Ctrl-D or Ctrl-C ends the chat.

  --url URL                              the server; default http://127.0.0.1:8080
  --api-key KEY                          for a server that wants one
  --grammar FILE                         hold answers to a grammar (GBNF)
  --grammar-json-schema FILE             hold answers to a JSON Schema
  --grammar-json-schema-prop-order A,B   order of the schema's properties in answers
  --no-cache-prompt [true|false]         evaluate the whole conversation for every answer
  --help                                 this text
`;

const INSTRUCTION = "A conversation of a curious human and an assistant, who is friendly and answers precisely.";
const GREETING = { human: "Hello, Assistant.", assistant: "Hello. What would you like to know?" };
const CONVERTER = new URL("../../rest_adapter/web/json-schema-to-grammar.mjs", import.meta.url).href;
const STOP = "\n### Human:";

/** Something that the user can mend; only its message is shown. */
class Problem extends Error {}

// Aborted by Ctrl-C.
const leaving = new AbortController();

/** @param {string[]} args */
async function main(args) {
  if (typeof fetch === "undefined") throw new Problem(`needs Node.js 18 or newer; this is ${process.version}`);
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const server = { url: options.url.replace(/\/+$/, ""), apiKey: options.apiKey };
  const grammar = await readGrammar(options);
  // Before the first question, so that a server that is not there is noticed at once.
  const nKeep = (await tokenize(server, INSTRUCTION)).length;
  await converse(new Chat(server, { grammar, n_keep: nKeep, cache_prompt: options.cachePrompt }));
}

/**
 * Answer line after line.
 *
 * @param {Chat} chat
 */
async function converse(chat) {
  const isTerminal = Boolean(process.stdin.isTTY);
  const input = createInterface({ input: process.stdin, output: process.stdout, terminal: isTerminal });
  const leave = () => {
    // A running answer ends, too, so that the server need not finish it.
    leaving.abort();
    input.close();
    process.stdout.write("\n");
    process.exitCode = 130;
  };
  for (const source of [process, input]) source.on("SIGINT", leave);
  input.setPrompt("> ");
  const prompt = () => isTerminal && !leaving.signal.aborted && input.prompt();
  prompt();
  for await (const line of input) {
    if (line.trim()) await answer(chat, line.trim());
    prompt();
  }
  if (isTerminal && !leaving.signal.aborted) process.stdout.write("\n");
}

/**
 * Print the answer to a question. One that fails does not end the chat.
 *
 * @param {Chat} chat
 * @param {string} question
 */
async function answer(chat, question) {
  let end = "";
  try {
    for await (const text of chat.ask(question)) {
      process.stdout.write(text);
      end = "\n";
    }
    process.stdout.write("\n");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    console.error(`${end}chat.mjs: ${error.message}`);
    process.exitCode = 1;
  }
}

/** A conversation, kept here: the server remembers no more than what it has computed for it. */
class Chat {
  #server;
  #options;
  #turns = [GREETING];
  #slotId = -1;

  constructor(server, options) {
    this.#server = server;
    this.#options = options;
  }

  /** @returns {AsyncGenerator<string>} the answer, in pieces */
  async *ask(question) {
    const body = {
      temperature: 0.2,
      top_k: 40,
      top_p: 0.9,
      n_predict: 256,
      stop: [STOP],
      ...this.#options,
      prompt: this.#prompt(question),
      slot_id: this.#slotId,
      stream: true,
    };
    let answer = "";
    let last;
    for await (const event of eventsOf(await post(this.#server, "/completion", body))) {
      // The blank between "Assistant:" and the answer.
      const text = answer ? event.content : event.content.trimStart();
      answer += text;
      last = event;
      yield text;
    }
    if (!last?.stop) throw new Problem("the answer ended too early");
    this.#slotId = last.slot_id;
    this.#turns.push({ human: question, assistant: answer.trimEnd() });
    // The server had to cut the conversation; what it cut is not sent again.
    if (last.truncated) this.#turns.shift();
  }

  #prompt(question) {
    const turns = this.#turns.map(({ human, assistant }) => `### Human: ${human}\n### Assistant: ${assistant}\n`);
    return `${INSTRUCTION}\n${turns.join("")}### Human: ${question}\n### Assistant:`;
  }
}

/** The tokens of a text. */
async function tokenize(server, content) {
  const answer = await (await post(server, "/tokenize", { content })).json().catch(() => null);
  if (!Array.isArray(answer?.tokens)) throw new Problem(`what answers at ${server.url} is another server`);
  return answer.tokens;
}

/** The answer to a body, if it is no error. */
async function post({ url, apiKey }, path, body) {
  const response = await fetch(url + path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...(apiKey && { Authorization: `Bearer ${apiKey}` }) },
    signal: leaving.signal,
  }).catch((error) => {
    throw leaving.signal.aborted ? error : unreachable(url, error);
  });
  if (response.ok) return response;
  const message = messageIn(await response.text());
  const hint = response.status === 401 ? "; give the key with --api-key" : "";
  throw new Problem(`the server answered ${response.status}: ${message}${hint}`);
}

function unreachable(url, error) {
  const reason = error.cause?.message || error.cause?.code || error.message;
  return new Problem(`no server at ${url}: ${reason}; start one with "slotline serve", or name it with --url`);
}

/**
 * The events of a stream. What the network delivers at a time may be several of them, or part of one.
 *
 * @param {Response} response
 */
async function* eventsOf(response) {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const part of response.body) {
      const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines.filter((one) => one.startsWith("data:"))) {
        const event = JSON.parse(line.slice("data:".length));
        if (event.error) throw new Problem(event.error.message);
        yield event;
      }
    }
  } catch (error) {
    if (error instanceof Problem || leaving.signal.aborted) throw error;
    throw new Problem(`the connection was lost: ${error.cause?.message ?? error.message}`);
  }
}

function messageIn(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    // Proxies answer with pages.
    return text.trim().slice(0, 200);
  }
}

/** @returns {Promise<string | null>} null is no grammar */
async function readGrammar({ grammar, schema, propOrder }) {
  if (grammar !== null && schema !== null) throw new Problem("give --grammar or --grammar-json-schema, not both");
  if (grammar !== null) return readText(grammar);
  if (schema === null) return null;
  const text = await readText(schema);
  try {
    const { SchemaConverter } = await import(CONVERTER);
    const converter = new SchemaConverter(Object.fromEntries(propOrder.map((name, rank) => [name, rank])));
    converter.visit(JSON.parse(text), "");
    return converter.formatGrammar();
  } catch (error) {
    throw new Problem(`${schema}: ${error.message}`);
  }
}

async function readText(file) {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Problem(error.message);
  }
}

/** @param {string[]} args as `--name value` or `--name=value` */
function parseOptions(args) {
  const options = {
    url: "http://127.0.0.1:8080",
    apiKey: null,
    grammar: null,
    schema: null,
    propOrder: [],
    cachePrompt: true,
    help: false,
  };
  const rest = args.flatMap((arg) => arg.match(/^(--[\w-]+)=(.*)$/s)?.slice(1) ?? [arg]);
  while (rest.length > 0) {
    const name = rest.shift();
    const value = () => {
      if (rest.length === 0) throw new Problem(`${name} needs a value; see --help`);
      return rest.shift();
    };
    if (name === "--url") options.url = value();
    else if (name === "--api-key") options.apiKey = value();
    else if (name === "--grammar") options.grammar = value();
    else if (name === "--grammar-json-schema") options.schema = value();
    else if (name === "--grammar-json-schema-prop-order") options.propOrder = value().split(",");
    else if (name === "--no-cache-prompt") options.cachePrompt = isWord(rest[0]) && rest.shift() === "false";
    else if (name === "--help" || name === "-h") options.help = true;
    else throw new Problem(`there is no option ${name}; see --help`);
  }
  return options;
}

function isWord(text) {
  return text === "true" || text === "false";
}

main(process.argv.slice(2)).catch((error) => {
  if (leaving.signal.aborted) return;
  if (!(error instanceof Problem)) throw error;
  console.error(`chat.mjs: ${error.message}`);
  process.exitCode = 1;
});
