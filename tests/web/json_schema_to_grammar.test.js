// json-schema-to-grammar.mjs: the grammar of each kind of schema, written out by hand.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SchemaConverter } from "../../rest_adapter/web/json-schema-to-grammar.mjs";

const SPACE = String.raw`space ::= " "?`;
const BOOLEAN = String.raw`boolean ::= ("true" | "false") space`;
const INTEGER = String.raw`integer ::= "-"? ("0" | [1-9] [0-9]*) space`;
const NULL = String.raw`null ::= "null" space`;
const NUMBER = String.raw`number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? space`;
const STRING = String.raw`string ::= "\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" space`;

/** The rules of a schema's grammar, sorted, without `space`, which every grammar has. */
function rules(schema, propOrder = {}, name = "") {
  const converter = new SchemaConverter(propOrder);
  converter.visit(schema, name);
  const grammar = converter.formatGrammar();
  assert.ok(grammar.endsWith("\n"));
  const lines = grammar.trimEnd().split("\n");
  assert.ok(lines.includes(SPACE));
  return lines.filter((line) => line !== SPACE).sort();
}

const nameOf = (schema, name) => new SchemaConverter({}).visit(schema, name);

for (const rule of [BOOLEAN, INTEGER, NULL, NUMBER, STRING]) {
  const [type, right] = rule.split(" ::= ");
  test(`${type} at the top is the root rule`, () => {
    assert.deepEqual(rules({ type }), [`root ::= ${right}`]);
    assert.equal(nameOf({ type }, ""), "root");
    assert.equal(nameOf({ type }, "root"), "root");
  });

  test(`${type} inside has one rule, however often it occurs`, () => {
    assert.deepEqual(rules({ oneOf: [{ type }, { type }] }), [rule, `root ::= ${type} | ${type}`].sort());
    assert.equal(nameOf({ type }, "other"), type);
  });
}

test("const and enum are JSON, escaped for the grammar", () => {
  assert.deepEqual(rules({ const: 'say "hi"\n' }), [String.raw`root ::= "\"say \\\"hi\\\"\\n\""`]);
  assert.deepEqual(rules({ const: null }), [`root ::= "null"`]);
  assert.deepEqual(rules({ const: { a: [1, true] } }), [String.raw`root ::= "{\"a\":[1,true]}"`]);
  assert.deepEqual(rules({ type: "string", enum: ["red", "", 7, null] }), [
    String.raw`root ::= "\"red\"" | "\"\"" | "7" | "null"`,
  ]);
});

test("oneOf and anyOf are alternatives, named by their numbers", () => {
  for (const word of ["oneOf", "anyOf"]) {
    assert.deepEqual(rules({ [word]: [{ type: "null" }, { const: 1 }, { [word]: [{ const: 2 }] }] }), [
      `1 ::= "1"`,
      `2 ::= 2-0`,
      `2-0 ::= "2"`,
      NULL,
      "root ::= null | 1 | 2",
    ]);
  }
});

test("an object has all its properties in the order of their names", () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, age: { type: "integer" }, isOld: { type: "boolean" } },
    required: ["name"],
  };
  assert.deepEqual(rules(schema), [
    BOOLEAN,
    INTEGER,
    String.raw`root ::= "{" space "\"age\"" space ":" space integer "," space "\"isOld\"" space ":" space boolean ` +
      String.raw`"," space "\"name\"" space ":" space string "}" space`,
    STRING,
  ]);
});

test("ranks come before names, low ones first, and 0 is a rank", () => {
  const properties = Object.fromEntries(["constructor", "b", "c", "a"].map((name) => [name, { type: "null" }]));
  const [, root] = rules({ type: "object", properties }, { c: 0, b: 1 });
  assert.deepEqual(root.match(/[a-z]+(?=\\"")/g), ["c", "b", "a", "constructor"]);
});

test("an object without properties is empty", () => {
  assert.deepEqual(rules({ type: "object", properties: {} }), [`root ::= "{" space "}" space`]);
});

test("an array has any number of items, none included", () => {
  assert.deepEqual(rules({ type: "array", items: { enum: [1, 2] } }), [
    `item ::= "1" | "2"`,
    `root ::= "[" space (item ("," space item)*)? "]" space`,
  ]);
});

test("rules are named after the way to them", () => {
  const schema = { properties: { list: { items: { properties: { "é & x!": { const: 1 } } } } } };
  assert.deepEqual(rules(schema).map((line) => line.split(" ")[0]), [
    "list",
    "list-item",
    "list-item--x-",
    "root",
  ]);
  assert.equal(nameOf({ const: 1 }, "my rule"), "my-rule");
});

test("a name that another rule has gets a number", () => {
  const schema = { properties: { "a b": { const: 1 }, "a-b": { const: 2 }, a_b: { const: 3 }, "a+b": { const: 1 } } };
  const found = Object.fromEntries(rules(schema).map((line) => line.split(" ::= ")));
  const members = [...found.root.matchAll(/"\\"(.{3})\\"" space ":" space (\S+)/g)];
  assert.deepEqual(Object.fromEntries(members.map(([, name, rule]) => [name, found[rule]])), {
    "a b": '"1"',
    "a-b": '"2"',
    a_b: '"3"',
    "a+b": '"1"',
  });
  assert.deepEqual(Object.keys(found).sort(), ["a-b", "a-b0", "a-b1", "root"]);
});

test("properties may be called like rules that exist already, or have no name at all", () => {
  const names = ["root", "space", "string", ""];
  const properties = Object.fromEntries(names.map((name, i) => [name, { const: i }]));
  const schema = { properties: { ...properties, z: { type: "string" } } };
  const found = Object.fromEntries(rules(schema).map((line) => line.split(" ::= ")));
  const members = [...found.root.matchAll(/"\\"(\w*)\\"" space ":" space (\S+)/g)];
  assert.deepEqual(Object.fromEntries(members.map(([, name, rule]) => [name, found[rule]])), {
    root: '"0"',
    space: '"1"',
    string: '"2"',
    "": '"3"',
    z: STRING.split(" ::= ")[1],
  });
});

test("several schemas can stand in one grammar", () => {
  const converter = new SchemaConverter({});
  assert.equal(converter.visit({ const: 1 }, "first"), "first");
  assert.equal(converter.visit({ const: 2 }, "first"), "first0");
  assert.equal(converter.visit({ const: 1 }, "first"), "first");
  assert.equal(converter.formatGrammar(), `${SPACE}\nfirst ::= "1"\nfirst0 ::= "2"\n`);
});

test("a list of types is alternatives", () => {
  assert.deepEqual(rules({ type: ["string", "null"] }), [NULL, "root ::= string | null", STRING]);
});

test("references lead to rules of their own, also to themselves", () => {
  const schema = {
    $ref: "#/$defs/a~1b%20c",
    $defs: { "a/b c": { properties: { next: { anyOf: [{ $ref: "#/$defs/a~1b%20c" }, { type: "null" }] } } } },
  };
  assert.deepEqual(rules(schema), [
    String.raw`a-1b-20c ::= "{" space "\"next\"" space ":" space a-1b-20c-next "}" space`,
    "a-1b-20c-next ::= a-1b-20c | null",
    NULL,
    "root ::= a-1b-20c",
  ]);
  assert.deepEqual(rules({ items: { $ref: "#" } }), [`root ::= "[" space (root ("," space root)*)? "]" space`]);
});

test("where anything goes, any JSON goes", () => {
  const value = "object | array | string | number | boolean | null";
  const member = `string ":" space value`;
  const anything = [
    `array ::= "[" space (value ("," space value)*)? "]" space`,
    BOOLEAN,
    NULL,
    NUMBER,
    `object ::= "{" space (${member} ("," space ${member})*)? "}" space`,
    STRING,
    `value ::= ${value}`,
  ];
  for (const schema of [{}, true, { title: "Any", description: "thing" }]) {
    assert.deepEqual(rules(schema), [...anything, `root ::= ${value}`].sort());
  }
  for (const type of ["object", "array"]) {
    const [, right] = anything.find((line) => line.startsWith(type)).split(" ::= ");
    assert.deepEqual(rules({ type }), [...anything, `root ::= ${right}`].sort());
  }
  assert.ok(rules({ items: {} }).includes(`root ::= "[" space (value ("," space value)*)? "]" space`));
});

for (const [schema, place] of [
  [false, "#"],
  [null, "#"],
  ["string", "#"],
  [{ type: "date" }, "#"],
  [{ type: "constructor" }, "#"],
  [{ type: "string", oneOf: [] }, "#/oneOf"],
  [{ enum: [] }, "#"],
  [{ allOf: [{ type: "null" }] }, "#"],
  [{ type: "object", additionalProperties: { type: "null" } }, "#"],
  [{ properties: { "a/b": { items: { anyOf: [{}, { type: "x" }] } } } }, "#/properties/a~1b/items/anyOf/1"],
  [{ type: ["null", 7] }, "#/type/1"],
  [{ items: { $ref: "#/$defs/no" } }, "#/items"],
  [{ items: { $ref: "other.json#/a" } }, "#/items"],
]) {
  test(`${JSON.stringify(schema)} has no grammar, and the message says where`, () => {
    assert.throws(
      () => new SchemaConverter({}).visit(schema, ""),
      ({ message }) => message.startsWith("Unrecognized schema: ") && message.endsWith(` at ${place}`),
    );
  });
}
