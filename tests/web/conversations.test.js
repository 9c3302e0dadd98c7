import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";

import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";

import { FakeClock } from "./fakes/clock.js";
import { FakeStorage } from "./fakes/storage.js";
import { becomes, until } from "./fakes/wait.js";

globalThis.sessionStorage = new FakeStorage();
const MODULE = "../../rest_adapter/web/page/state/conversations.js";
const { makeAnswer, makeQuestion, withMessageFields, withMessagesFrom } = await import(
  "../../rest_adapter/web/page/state/messages.js"
);
const { notes } = await import("../../rest_adapter/web/page/state/notes.js");
const { makePicture } = await import("../../rest_adapter/web/page/state/pictures.js");
const { openDB } = await import("../../rest_adapter/web/vendor/idb.js");
// The tabs' own channels do not keep the process waiting for what they say.
const keepsWaiting = new BroadcastChannel("tests");
after(() => keepsWaiting.close());
const time = new FakeClock().install();
let nTabs = 0;
let closeTabs = [];

beforeEach(() => {
  closeTabs.forEach((close) => close());
  closeTabs = [];
  globalThis.indexedDB = new IDBFactory();
  globalThis.sessionStorage = new FakeStorage();
  notes.value = [];
});

/** The module as another tab has it, or this one after a reload. */
async function openTab() {
  const tab = await import(`${MODULE}?tab=${++nTabs}`);
  closeTabs.push(() => tab.tabs.close());
  await tab.loadConversations();
  return tab;
}

/** Adds a question and its answer to the conversation in view. */
async function talk(tab, question, answer = "Fine.") {
  time.advance(1000);
  const added = [makeQuestion(question, []), { ...makeAnswer(), content: answer, finish: "stop" }];
  const { id } = tab.current.value;
  const now = 1_700_000_000_000 + time.nowMs;
  await tab.changeConversation(id, (one) => withMessagesFrom(one, one.messages.length, added, now));
  return id;
}

const titles = (tab) => tab.conversations.value.map(({ title }) => title);

test("a first visit has an empty conversation that is not listed", async () => {
  const tab = await openTab();

  assert.deepEqual(tab.conversations.value, []);
  assert.deepEqual(tab.current.value.messages, []);
  assert.equal(tab.current.value.title, "New conversation");
});

test("conversations are listed newest first, with the title of their first question", async () => {
  const tab = await openTab();
  await talk(tab, "  How are\nyou? ");
  tab.newConversation();
  await talk(tab, "x".repeat(100));

  assert.deepEqual(titles(tab), [`${"x".repeat(59)}…`, "How are you?"]);
  assert.deepEqual(tab.conversations.value[1].nMessages, 2);
});

test("a reload shows the same conversation again", async () => {
  const tab = await openTab();
  const id = await talk(tab, "First");
  tab.newConversation();
  await talk(tab, "Second");
  await tab.openConversation(id);

  const again = await openTab();

  assert.equal(again.current.value.id, id);
  assert.deepEqual(again.current.value, tab.current.value);
  assert.deepEqual(titles(again), ["Second", "First"]);
});

test("a reload of an empty conversation shows an empty one", async () => {
  const tab = await openTab();
  await talk(tab, "First");
  tab.newConversation();

  assert.deepEqual((await openTab()).current.value.messages, []);
});

test("a new conversation that is still empty is not made again", async () => {
  const tab = await openTab();
  const { id } = tab.current.value;

  tab.newConversation();

  assert.equal(tab.current.value.id, id);
});

test("a system prompt stays with its conversation, also from before the first question", async () => {
  const tab = await openTab();
  await tab.setSystemPrompt("Be brief.");
  assert.deepEqual(tab.conversations.value, []);
  await talk(tab, "Hello");
  const { id } = tab.current.value;
  assert.equal(tab.current.value.systemPrompt, "Be brief.");

  const writing = [tab.setSystemPrompt("Be b"), tab.setSystemPrompt("Be")];
  assert.equal(tab.current.value.systemPrompt, "Be");
  await Promise.all(writing);

  assert.equal(tab.current.value.systemPrompt, "Be");
  assert.equal((await tab.readConversation(id)).systemPrompt, "Be");
});

test("a title that the user chose stays when the questions change", async () => {
  const tab = await openTab();
  const id = await talk(tab, "Hello");
  await tab.renameConversation(id, " Greetings ");

  await tab.changeConversation(id, (one) => withMessagesFrom(one, 0, [makeQuestion("Other", [])], one.updatedAt));

  assert.deepEqual(titles(tab), ["Greetings"]);
  await assert.rejects(tab.renameConversation(id, " "), RangeError);
  await assert.rejects(tab.renameConversation(id, "x".repeat(201)), /201/);
});

test("messages that did not change stay the same objects, which views need not draw again", async () => {
  const tab = await openTab();
  const id = await talk(tab, "Hello");
  const [question, answer] = tab.current.value.messages;

  await tab.changeConversation(id, (one) => withMessageFields(one, answer.id, { content: "More." }));

  assert.equal(tab.current.value.messages[0], question);
  assert.equal(tab.current.value.messages[1].content, "More.");
});

test("what the user does while the page reads its conversations counts", async () => {
  const tab = await openTab();
  const id = await talk(tab, "Hello");
  const again = await import(`${MODULE}?tab=${++nTabs}`);
  closeTabs.push(() => again.tabs.close());
  again.newConversation();
  await again.loadConversations();

  assert.deepEqual(again.current.value.messages, []);
  assert.equal(again.conversations.value.length, 1);
});

test("a conversation that is deleted is gone, and the one in view makes room", async () => {
  const tab = await openTab();
  const id = await talk(tab, "Hello");

  await tab.deleteConversation(id);

  assert.deepEqual(tab.conversations.value, []);
  assert.deepEqual(tab.current.value.messages, []);
  assert.deepEqual((await openTab()).conversations.value, []);
  await tab.openConversation(id);
  assert.match(notes.value[0].text, /does not exist any more/);
});

test("a search finds all words in titles, texts and system prompts", async () => {
  const tab = await openTab();
  await tab.setSystemPrompt("You are a sailor.");
  await talk(tab, "Boats", "A ship has a Mast.");
  tab.newConversation();
  await talk(tab, "Trees", "A pine makes a mast.");
  const found = async (query) => (await tab.searchConversations(query)).map(({ title }) => title);

  assert.deepEqual(await found("mast"), ["Trees", "Boats"]);
  assert.deepEqual(await found("MAST  ship"), ["Boats"]);
  assert.deepEqual(await found("sailor"), ["Boats"]);
  assert.deepEqual(await found("trees"), ["Trees"]);
  assert.deepEqual(await found("nowhere"), []);
  assert.deepEqual(await found(" "), ["Trees", "Boats"]);
});

test("of two conversations that are opened one after the other the last is shown", async () => {
  const tab = await openTab();
  const first = await talk(tab, "First");
  tab.newConversation();
  const second = await talk(tab, "Second");
  tab.newConversation();

  await Promise.all([tab.openConversation(second), tab.openConversation(first)]);

  assert.equal(tab.current.value.id, first);
});

test("tabs see each other's conversations", async () => {
  const [one, two] = [await openTab(), await openTab()];

  const id = await talk(one, "Hello");
  await becomes(two.conversations, (list) => list.length === 1);
  await two.openConversation(id);
  await one.renameConversation(id, "Greetings");

  await becomes(two.current, ({ title }) => title === "Greetings");
  assert.deepEqual(titles(two), ["Greetings"]);
});

test("two tabs that write into one conversation both keep what they wrote", async () => {
  const one = await openTab();
  const id = await talk(one, "Hello");
  const two = await openTab();
  assert.equal(two.current.value.id, id);

  await Promise.all([talk(one, "From one"), talk(two, "From two"), one.setSystemPrompt("Be brief.")]);

  const stored = await one.readConversation(id);
  const said = stored.messages.filter(({ role }) => role === "user").map(({ content }) => content);
  assert.deepEqual(said.sort(), ["From one", "From two", "Hello"]);
  assert.equal(stored.systemPrompt, "Be brief.");
  for (const tab of [one, two]) {
    await becomes(tab.current, ({ messages, systemPrompt }) => messages.length === 6 && systemPrompt !== "");
  }
});

test("a conversation that another tab deletes leaves the view, with a note, and stays deleted", async () => {
  const one = await openTab();
  const id = await talk(one, "Hello");
  const two = await openTab();

  await two.deleteConversation(id);

  await becomes(one.current, (conversation) => conversation.id !== id);
  assert.equal(notes.value.length, 1);
  assert.equal(await one.changeConversation(id, (conversation) => ({ ...conversation, title: "Back" })), null);
  assert.deepEqual((await openTab()).conversations.value, []);
});

async function leaveInTheMiddle(tab) {
  const id = await talk(tab, "Hello", "Half of an ans");
  const answer = tab.current.value.messages[1].id;
  await tab.changeConversation(id, (one) => withMessageFields(one, answer, { finish: null }));
  return answer;
}

test("an answer that a reload cut is there as far as it came, and counts as stopped", async () => {
  await leaveInTheMiddle(await openTab());

  const again = await openTab();
  await until(() => time.waits.includes(500));
  time.advance(500);
  await becomes(again.current, ({ messages }) => messages[1].finish === "stopped");

  assert.equal(again.current.value.messages[1].content, "Half of an ans");
});

test("an answer that another tab still writes is left alone", async () => {
  const one = await openTab();
  const answer = await leaveInTheMiddle(one);
  one.tabs.claim(answer);

  const two = await openTab();
  await two.openConversation(two.current.value.id);

  assert.equal(two.current.value.messages[1].finish, null);
  assert.deepEqual(time.waits, []);
});

test("where there is no IndexedDB conversations live in memory, with one note", async () => {
  delete globalThis.indexedDB;
  const tab = await openTab();
  const id = await talk(tab, "First");
  tab.newConversation();
  await talk(tab, "Second");
  await tab.openConversation(id);

  assert.equal(tab.current.value.messages[0].content, "First");
  assert.deepEqual((await tab.searchConversations("first")).length, 1);
  await tab.deleteConversation(id);
  assert.deepEqual(titles(tab), ["Second"]);
  assert.equal(notes.value.length, 1);
});

test("where storage is full conversations live in memory, and are written once there is room", async () => {
  const tab = await openTab();
  await talk(tab, "Before");
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const id = await talk(tab, "While full");
  assert.equal(tab.current.value.messages.length, 4);
  assert.match(notes.value[0].text, /could not be stored/);
  assert.equal((await tab.readConversation(id)).messages.length, 4);
  assert.equal((await tab.searchConversations("full")).length, 1);

  IDBObjectStore.prototype.put = put;
  await talk(tab, "After");

  assert.equal((await openTab()).current.value.messages.length, 6);
});

test("a database that the browser closed is opened again", async () => {
  const tab = await openTab();
  await talk(tab, "Before");
  const transaction = IDBDatabase.prototype.transaction;
  IDBDatabase.prototype.transaction = function closed() {
    IDBDatabase.prototype.transaction = transaction;
    throw new DOMException("The database connection is closing.", "InvalidStateError");
  };

  await talk(tab, "After");

  assert.equal((await openTab()).current.value.messages.length, 4);
  assert.deepEqual(notes.value, []);
});

const CAT = "data:image/png;base64,AAAA";

/** As `talk`, with a picture in the question. */
async function showPicture(tab, name, address = CAT) {
  time.advance(1000);
  const picture = makePicture(name, address, `small ${name}`);
  tab.keepOriginal(picture);
  const { id } = tab.current.value;
  const question = makeQuestion("What is this?", [picture]);
  const now = 1_700_000_000_000 + time.nowMs;
  await tab.changeConversation(id, (one) => withMessagesFrom(one, one.messages.length, [question], now));
  return { id, picture };
}

/** All files of pictures that the database has. */
async function storedFiles() {
  const database = await openDB("slotline");
  const files = await database.getAll("pictures");
  database.close();
  return files.map(({ address }) => address).sort();
}

test("files of pictures are there after a reload, beside their conversation", async () => {
  const { picture } = await showPicture(await openTab(), "cat.png");

  const tab = await openTab();

  const [{ images }] = tab.current.value.messages;
  assert.deepEqual(images, [{ id: picture.id, name: "cat.png", thumbnail: "small cat.png" }]);
  assert.deepEqual([...(await tab.readOriginals(images)).values()], [CAT]);
});

test("files of pictures go with their messages, and with their conversation", async () => {
  const tab = await openTab();
  const { id } = await showPicture(tab, "cat.png", `${CAT}0`);
  await showPicture(tab, "dog.png", `${CAT}1`);
  tab.newConversation();
  await showPicture(tab, "cow.png", `${CAT}2`);
  assert.deepEqual(await storedFiles(), [`${CAT}0`, `${CAT}1`, `${CAT}2`]);

  await tab.changeConversation(id, (one) => withMessagesFrom(one, 1, [], one.updatedAt));
  assert.deepEqual(await storedFiles(), [`${CAT}0`, `${CAT}2`]);

  await tab.deleteConversation(id);
  assert.deepEqual(await storedFiles(), [`${CAT}2`]);
});

test("where there is no room for files, conversations are stored without them, and a note says so once", async () => {
  const tab = await openTab();
  const put = IDBObjectStore.prototype.put;
  let nTries = 0;
  IDBObjectStore.prototype.put = function full(value) {
    if (this.name === "pictures") {
      nTries += 1;
      throw new DOMException("full", "QuotaExceededError");
    }
    return put.call(this, value);
  };
  try {
    const { picture } = await showPicture(tab, "cat.png");
    await talk(tab, "More");

    assert.match(notes.value[0].text, /no room for these pictures/);
    assert.deepEqual([notes.value.length, nTries], [1, 1]);
    // Until the page is closed it is there.
    assert.deepEqual([...(await tab.readOriginals([picture])).values()], [CAT]);
    const reloaded = await openTab();
    assert.equal(reloaded.current.value.messages.length, 3);
    assert.equal((await reloaded.readOriginals([picture])).size, 0);
  } finally {
    IDBObjectStore.prototype.put = put;
  }
});

test("what the first version of the page has stored is taken over", async () => {
  const old = await openDB("slotline", 1, {
    upgrade: (created) => void created.createObjectStore("conversations", { keyPath: "id" }),
  });
  const question = { ...makeQuestion("What is this?", []), images: [CAT] };
  const first = { id: "c1", title: "Old", isRenamed: true, revision: 0, createdAt: 1, updatedAt: 2, systemPrompt: "" };
  await old.put("conversations", { ...first, messages: [question, makeAnswer()] });
  await old.put("conversations", { ...first, id: "c2", title: "Older", updatedAt: 1, messages: [] });
  old.close();

  const tab = await openTab();

  assert.deepEqual(titles(tab), ["Old", "Older"]);
  const { messages } = await tab.readConversation("c1");
  assert.deepEqual(messages[0].images, [{ id: `${question.id}-0`, name: "Image 1", thumbnail: CAT }]);
  assert.deepEqual([...(await tab.readOriginals(messages[0].images)).values()], [CAT]);
});
