import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { CHAT, beginTest, chat, fake, last, start } from "./fakes/chat.js";
import { refusal } from "./fakes/server.js";

const STATE = "../../rest_adapter/web/page/state";
const { editMessage, regenerate, send } = await import(`${STATE}/chat_session.js`);
const { changeConversation, current, readOriginals, setSystemPrompt } = await import(`${STATE}/conversations.js`);
const { withMessagesFrom, makeQuestion } = await import(`${STATE}/messages.js`);
const { notes } = await import(`${STATE}/notes.js`);
const { makePicture, refusedPictures } = await import(`${STATE}/pictures.js`);
const { model } = await import(`${STATE}/server.js`);

const CAT = "data:image/png;base64,AAAA";
const DOG = "data:image/png;base64,BBBB";
const cat = () => makePicture("cat.png", CAT, "a small cat");
const dog = () => makePicture("dog.png", DOG, "a small dog");
const shown = (url) => ({ type: "image_url", image_url: { url } });
const text = (words) => ({ type: "text", text: words });

beforeEach(beginTest);
beforeEach(() => {
  model.value = { canSee: true };
  refusedPictures.value = new Map();
});

test("pictures go along as they are, before the text, and their conversation has small copies", async () => {
  const pictures = [cat(), dog()];
  const { body } = await chat("", "A cat.", "stop", () => send("What is it?", pictures));

  assert.deepEqual(body.messages[0].content, [shown(CAT), shown(DOG), text("What is it?")]);
  const { images } = current.value.messages[0];
  assert.deepEqual(images.map(({ name, thumbnail }) => [name, thumbnail]), [
    ["cat.png", "a small cat"],
    ["dog.png", "a small dog"],
  ]);
  assert.ok(!JSON.stringify(current.value).includes(CAT));
  assert.deepEqual([...(await readOriginals(images)).values()], [CAT, DOG]);
});

test("pictures of earlier questions go along, too", async () => {
  await chat("", "A cat.", "stop", () => send("", [cat()]));
  const { body } = await chat("And now?", "Still a cat.");

  assert.deepEqual(body.messages.map(({ content }) => content), [[shown(CAT)], "A cat.", "And now?"]);
});

test("pictures are left out, with a note, where the model cannot see them", async () => {
  model.value = null;
  const { body } = await chat("", "Hm.", "stop", () => send("What is it?", [cat()]));

  assert.deepEqual(body.messages, [{ role: "user", content: "What is it?" }]);
  assert.match(notes.value[0].text, /cannot see images/);
});

test("a question that is changed keeps its pictures, but for those that are taken out", async () => {
  await chat("", "Pets.", "stop", () => send("What are these?", [cat(), dog()]));
  const [{ id, images }] = current.value.messages;
  const changed = await chat("", "Pets.", "stop", () => editMessage(id, "What are those?"));
  assert.deepEqual(changed.body.messages[0].content, [shown(CAT), shown(DOG), text("What are those?")]);

  const question = current.value.messages[0];
  const fewer = await chat("", "A dog.", "stop", () => editMessage(question.id, "And this?", [question.images[1]]));

  assert.deepEqual(fewer.body.messages[0].content, [shown(DOG), text("And this?")]);
  // The file of the other one goes with it.
  assert.deepEqual([...(await readOriginals(images)).values()], [DOG]);
});

test("where a file could not be kept, its small copy goes along, with a note", async () => {
  const small = "data:image/jpeg;base64,CCCC";
  const question = makeQuestion("What is it?", [makePicture("cat.png", CAT, small), makePicture("odd.png", DOG, "")]);
  await changeConversation(current.value.id, (one) => withMessagesFrom(one, 0, [question], 1));

  const { body } = await chat("", "A cat.", "stop", () => regenerate());

  assert.deepEqual(body.messages[0].content, [shown(small), text("What is it?")]);
  assert.match(notes.value[0].text, /could not keep all pictures.*Small copies/);
});

/** Has a question refused. */
async function refuse(message, begin) {
  const { ended } = await start(() => {
    fake.on(CHAT, () => refusal(400, message));
    return begin();
  });
  await ended;
}

test("what the server says against a picture is kept for it, until it is sent again", async () => {
  await setSystemPrompt("Be brief.");
  await chat("Hi", "Hello.");
  const pictures = [cat(), dog()];
  await refuse("messages[3].content[1].image_url: is no picture", () => send("What are these?", pictures));

  assert.deepEqual([...refusedPictures.value], [[pictures[1].id, "Is no picture"]]);
  assert.equal(last().finish, "error");
  assert.equal(last().error, "dog.png: is no picture.");
  assert.equal(notes.value[0].text, "dog.png: is no picture.");

  await beginStreams();
  await chat("", "Pets.", "stop", () => regenerate());
  assert.equal(refusedPictures.value.size, 0);
});

test("errors about other things are no picture's", async () => {
  for (const message of ["messages[0].content[1]: is wrong", "temperature: is too hot", "the model is too busy"]) {
    await refuse(message, () => send("What is it?", [cat()]));
    assert.equal(refusedPictures.value.size, 0);
    await beginTest();
    model.value = { canSee: true };
  }
});

/** Answers come again. */
async function beginStreams() {
  const { id } = current.value;
  const { openConversation } = await import(`${STATE}/conversations.js`);
  await beginTest();
  await openConversation(id);
  model.value = { canSee: true };
}
