import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { CHAT, COMPLETION, beginTest, chat, contents, fake, last, receive, start, time } from "./fakes/chat.js";
import { refusal } from "./fakes/server.js";

const STATE = "../../rest_adapter/web/page/state";
const { continueAnswer, editMessage, regenerate, send, stop } = await import(`${STATE}/chat_session.js`);
const { current, setSystemPrompt } = await import(`${STATE}/conversations.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { setOption } = await import(`${STATE}/options.js`);
const { makePicture, refusedPictures } = await import(`${STATE}/pictures.js`);
const { model } = await import(`${STATE}/server.js`);
const { setTemplate } = await import(`${STATE}/template.js`);

beforeEach(beginTest);

const piece = (content, more = {}) => ({ content, stop: false, slot_id: 0, ...more });
const final = (more = {}) => ({
  content: "",
  stop: true,
  stopped_limit: false,
  tokens_predicted: 2,
  tokens_evaluated: 30,
  timings: { predicted_per_second: 50, prompt_n: 10 },
  ...more,
});

/** As `chat`, with the template that is set. */
async function complete(question, answer, more = {}, begin = () => send(question)) {
  const { ended, stream, request } = await start(begin, COMPLETION);
  stream.send(piece(answer), final(more));
  assert.equal(await ended, true);
  return request;
}

test("with a template of one's own the conversation is sent as a text", async () => {
  setTemplate({ isOn: true, user: "Ann" });
  setOption("stop", ["END", "Ann:"]);
  setOption("top_k", 7);
  await setSystemPrompt("Be brief.");
  await complete("One", " 1");

  const { body } = await complete("Two", " 2");

  assert.deepEqual(body, {
    prompt: "Be brief.\n\nAnn: One\nLlama: 1\nAnn: Two\nLlama:",
    stop: ["END", "Ann:", "</s>", "Llama:"],
    n_predict: 1024,
    temperature: 0.7,
    top_k: 7,
    top_p: 0.95,
    truncate: false,
    stream: true,
  });
  assert.deepEqual(contents(), ["One", "1", "Two", "2"]);
  assert.deepEqual([last().finish, last().error], ["stop", ""]);
  assert.deepEqual(fake.requestsTo(CHAT), []);
});

test("a template's answer comes without blanks before it and line breaks after it, and its tokens too", async () => {
  setTemplate({ isOn: true });
  setOption("n_probs", 1);
  const token = (content) => piece(content, { completion_probabilities: [{ content, probs: [] }] });
  const { ended, request, stream } = await start(() => send("Hello"), COMPLETION);
  await receive(stream, "", "Fine", token(" Fine"));
  await receive(stream, "", "Fine.\n", token(".\n"));
  stream.send(token("\n"), final());
  await ended;

  assert.equal(request.body.n_probs, 1);
  assert.equal(last().content, "Fine.");
  assert.deepEqual(last().tokens, [
    { text: "Fine", probs: [] },
    { text: ".", probs: [] },
  ]);
});

test("the statistics of a template's answer come from the last event", async () => {
  setTemplate({ isOn: true });
  const { ended, stream } = await start(() => send("Hello"), COMPLETION);
  time.advance(200);
  await receive(stream, "", "a", piece("a"));
  time.advance(500);
  stream.send(final());
  await ended;

  assert.deepEqual(last().statistics, {
    nTokens: 2,
    nPromptTokens: 30,
    nCachedTokens: 20,
    tokensPerSecond: 50,
    firstTokenMs: 200,
    totalMs: 700,
  });
});

test("more of a template's cut answer is asked for behind its end", async () => {
  setTemplate({ isOn: true });
  await complete("Hello", " A list:\n", { stopped_limit: true });
  const { id } = last();
  assert.deepEqual([last().content, last().finish], ["A list:\n", "length"]);

  const { body } = await complete("", "- item\n", {}, continueAnswer);

  assert.equal(body.prompt, "\n\nUser: Hello\nLlama: A list:\n");
  assert.deepEqual([last().id, last().content, last().finish], [id, "A list:\n- item", "stop"]);
});

test("a template's answer is made again, and its question edited", async () => {
  setTemplate({ isOn: true });
  await complete("One", "1");

  const again = await complete("", "I", {}, regenerate);
  const edited = await complete("", "2", {}, () => editMessage(current.value.messages[0].id, "Two"));

  assert.equal(again.body.prompt, "\n\nUser: One\nLlama:");
  assert.equal(edited.body.prompt, "\n\nUser: Two\nLlama:");
  assert.deepEqual(contents(), ["Two", "2"]);
});

test("a stop keeps what came of a template's answer, and closes the connection", async () => {
  setTemplate({ isOn: true });
  const { stream } = await start(() => send("Hello"), COMPLETION);
  await receive(stream, "", "Half\n", piece(" Half\n"));

  await stop();

  assert.equal(stream.isCancelled, true);
  assert.deepEqual([last().content, last().finish], ["Half\n", "stopped"]);
});

test("an answer goes on with the template that it began with", async () => {
  setTemplate({ isOn: true });
  const { ended, stream } = await start(() => send("Hello"), COMPLETION);
  setTemplate({ isOn: false, text: "" });
  stream.send(piece(" Fine."), final());
  await ended;

  assert.equal(last().content, "Fine.");
});

const CAT = makePicture("cat.png", "data:image/png;base64,AAAA", "");
const DOG = makePicture("dog.png", "data:image/png;base64,BBBB", "");
const COW = makePicture("cow.png", "data:image/png;base64,CCCC", "");

test("pictures stand before the text of their message, by markers", async () => {
  setTemplate({ isOn: true });
  model.value = { canSee: true };
  await complete("", "Pets.", {}, () => send("What are these?", [CAT, DOG]));
  const { body } = await complete("", "A cow.", {}, () => send("And this?", [COW]));

  assert.equal(body.prompt, "\n\nUser: [img-0][img-1]What are these?\nLlama: Pets.\nUser: [img-2]And this?\nLlama:");
  assert.deepEqual(body.image_data, [
    { id: 0, data: "AAAA" },
    { id: 1, data: "BBBB" },
    { id: 2, data: "CCCC" },
  ]);
});

test("what the server says against a picture of a template is kept for it", async () => {
  setTemplate({ isOn: true });
  model.value = { canSee: true };
  fake.on(COMPLETION, () => refusal(400, "image_data[1]: is no picture"));
  await send("What are these?", [CAT, DOG]);

  assert.deepEqual([...refusedPictures.value], [[DOG.id, "Is no picture"]]);
  assert.equal(last().error, "dog.png: is no picture.");
});

test("pictures are left out of a template, with a note, where the model cannot see them", async () => {
  setTemplate({ isOn: true });
  const { body } = await complete("", "Hm.", {}, () => send("What is it?", [CAT]));

  assert.equal(body.prompt, "\n\nUser: What is it?\nLlama:");
  assert.equal(body.image_data, undefined);
  assert.match(notes.value[0].text, /cannot see images/);
});

test("nothing is sent or changed while the template cannot be used", async () => {
  await chat("One", "1");
  const before = current.value;
  setTemplate({ isOn: true, text: "{{prompt}}" });

  for (const begin of [() => send("Two"), regenerate, continueAnswer, () => editMessage(before.messages[0].id, "I")]) {
    assert.equal(await begin(), false);
  }

  assert.equal(current.value, before);
  assert.equal(fake.requests.length, 1);
  assert.equal(notes.value.length, 1);
  assert.match(notes.value[0].text, /template needs \{\{history\}\}/);
});
