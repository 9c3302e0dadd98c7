import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { FakeClock } from "./fakes/clock.js";
import { FakeStorage } from "./fakes/storage.js";

const time = new FakeClock().install();
globalThis.localStorage = new FakeStorage();
const KEPT = { isOn: true, text: "{{history}}", history: "{{message}}", user: "Ann", char: "Bob" };
localStorage.setItem("slotline.template", JSON.stringify(KEPT));
const STATE = "../../rest_adapter/web/page/state";
const {
  DEFAULT_TEMPLATE,
  checkTemplate,
  renderPrompt,
  resetTemplate,
  setTemplate,
  stopTexts,
  template,
  templateProblems,
  trimAnswer,
} = await import(`${STATE}/template.js`);
const { notes } = await import(`${STATE}/notes.js`);
const keptTemplate = template.value;

beforeEach(() => {
  setTemplate(DEFAULT_TEMPLATE);
  notes.value = [];
});

const you = (content, images = []) => ({ role: "user", content, images });
const bot = (content) => ({ role: "assistant", content, images: [] });

/** The prompt of a conversation with parts of the usual template replaced. */
function render(messages, fields = {}, systemPrompt = "Be brief.") {
  return renderPrompt({ ...DEFAULT_TEMPLATE, ...fields }, { systemPrompt, messages });
}

test("the template of the last visit is there, and changes are kept", () => {
  assert.deepEqual(keptTemplate, KEPT);

  setTemplate({ user: "Cleo" });
  time.advance(1000);

  assert.deepEqual(JSON.parse(localStorage.getItem("slotline.template")), { ...DEFAULT_TEMPLATE, user: "Cleo" });
});

test("the usual template opens the next turn after the messages", () => {
  assert.equal(
    render([you("Hi"), bot("Hello"), you("How are you?")]),
    "Be brief.\n\nUser: Hi\nLlama: Hello\nUser: How are you?\nLlama:",
  );
});

test("an answer that nothing has come of is no message", () => {
  assert.equal(render([you("Hi"), bot("")]), "Be brief.\n\nUser: Hi\nLlama:");
});

test("more of an answer is asked for behind its last letter", () => {
  assert.equal(render([you("Hi"), bot("A list:\n")]), "Be brief.\n\nUser: Hi\nLlama: A list:\n");
});

test("more of an answer is asked for without what follows the history and the message", () => {
  const fields = { text: "[{{history}}] then {{ history }} end", history: "<{{name}}>{{message}}</{{name}}>" };

  assert.equal(
    render([you("Hi"), bot("Hel")], fields),
    "[<User>Hi</User>\n<Llama>Hel] then <User>Hi</User>\n<Llama>Hel",
  );
});

test("blanks before a message and line breaks after it are left out", () => {
  assert.equal(
    render([you("  Hi\n\n"), bot(" \nHel lo \n"), you("Go")]),
    "Be brief.\n\nUser: Hi\nLlama: Hel lo \nUser: Go\nLlama:",
  );
});

test("placeholders come from the texts of others, too", () => {
  const systemPrompt = "{{char}} helps {{user}}.";

  assert.equal(
    render([you("Hi")], { char: "{{user}}'s bot", user: "Ann" }, systemPrompt),
    "Ann's bot helps Ann.\n\nAnn: Hi\nAnn's bot:",
  );
});

for (const [name, text] of [
  ["in a message", "{{prompt}} {{history}} {{char}} {{message}} $& $1"],
  ["those that mean nothing", "{{unknown}} {{constructor}} {{}} {{a b}} {"],
]) {
  test(`placeholders stay as they are: ${name}`, () => {
    assert.equal(render([you(text)], { text: "{{history}}", history: "{{message}}" }), text);
  });
}

for (const [name, fields, systemPrompt, expected] of [
  ["the system prompt in itself", {}, "I am {{prompt}}", "I am {{prompt}}|User: Hi"],
  ["the names in each other", { user: "{{char}}", char: "{{user}}" }, "{{char}}", "{{char}}|{{user}}: Hi"],
  ["the history in a message", { history: "{{history}}{{message}}" }, "", "|{{history}}Hi"],
]) {
  test(`no text holds itself without end: ${name}`, () => {
    assert.equal(render([you("Hi")], { ...fields, text: "{{prompt}}|{{history}}" }, systemPrompt), expected);
  });
}

test("a question with images alone keeps its turn", () => {
  assert.equal(render([you("", [{ id: "i", name: "cat.png", thumbnail: "" }])]), "Be brief.\n\nUser: \nLlama:");
});

test("answers end where another message would begin", () => {
  assert.deepEqual(stopTexts(DEFAULT_TEMPLATE), ["</s>", "Llama:", "User:"]);
  assert.deepEqual(stopTexts({ ...DEFAULT_TEMPLATE, char: "{{user}}'s bot", user: "Ann" }), [
    "</s>",
    "Ann's bot:",
    "Ann:",
  ]);
});

const tokens = (...texts) => texts.map((text) => ({ text, probs: [{ tok_str: text, prob: 1 }] }));

for (const [name, texts, isWhole, content, left] of [
  ["blanks at the beginning", [" \n", " Hel", "lo"], false, "Hello", ["Hel", "lo"]],
  ["line breaks at the end", [" A", ".\n", "\n"], true, "A.", ["A", "."]],
  ["not the end of what goes on", [" A", ":\n"], false, "A:\n", ["A", ":\n"]],
  ["blanks alone", [" ", "\n"], true, "", []],
  ["nothing", ["A", " b"], true, "A b", ["A", " b"]],
]) {
  test(`an answer is trimmed, its tokens too: ${name}`, () => {
    const trimmed = trimAnswer({ content: texts.join(""), tokens: tokens(...texts) }, isWhole);

    assert.equal(trimmed.content, content);
    assert.deepEqual(trimmed.tokens.map(({ text }) => text), left);
    assert.deepEqual(trimAnswer({ content: texts.join(""), tokens: [] }, isWhole), { content, tokens: [] });
  });
}

for (const [name, value, sentence] of [
  ["text", "", /template needs \{\{history\}\}/],
  ["text", "{{prompt}} {history}", /template needs \{\{history\}\}/],
  ["history", "{{name}}:", /history template needs \{\{message\}\}/],
  ["user", " ", /Your name must not be empty/],
  ["char", "", /bot's name must not be empty/],
]) {
  test(`a template that cannot be used says why: ${name} ${JSON.stringify(value)}`, () => {
    setTemplate({ [name]: value });

    assert.deepEqual(Object.keys(templateProblems.value), [name]);
    assert.match(templateProblems.value[name], sentence);
    assert.equal(checkTemplate(), true);
    assert.deepEqual(notes.value, []);

    setTemplate({ isOn: true });
    assert.equal(checkTemplate(), false);
    assert.deepEqual(notes.value.map(({ kind }) => kind), ["error"]);
    assert.match(notes.value[0].text, sentence);
  });
}

test("a reset brings the texts back and leaves the switch", () => {
  setTemplate({ isOn: true, text: "", history: "x", user: "", char: "" });

  resetTemplate();

  assert.deepEqual(template.value, { ...DEFAULT_TEMPLATE, isOn: true });
  assert.deepEqual(templateProblems.value, {});
  assert.equal(checkTemplate(), true);
});
