/**
 * Grammars (GBNF) that hold a model to the JSON that a JSON Schema describes:
 *
 *     import { SchemaConverter } from "/json-schema-to-grammar.mjs";
 *
 *     const converter = new SchemaConverter({ name: 0, age: 1 });
 *     converter.visit(schema, "");
 *     const grammar = converter.formatGrammar();
 *
 * A schema may hold `oneOf`, `anyOf`, `const`, `enum`, `properties` (all of them come, in a fixed order, whatever
 * `required` says), `items`, the types boolean, number, integer, string and null, a list of types, `$ref` into itself
 * ("#", "#/$defs/name"), and where anything goes `{}`, true, or the types object and array alone. Keywords that only
 * narrow, such as `minimum`, `pattern` and `maxItems`, have no effect.
 *
 * @module json-schema-to-grammar
 */

/** @typedef {boolean | { [keyword: string]: any }} Schema */

const SPACE = '" "?';
const DIGITS = '("0" | [1-9] [0-9]*)';
const INTEGER = `"-"? ${DIGITS}`;

/** @type {Record<string, string>} The rules of types that need no further words; their names are those of the types. */
const PRIMITIVES = {
  boolean: '("true" | "false") space',
  integer: `${INTEGER} space`,
  null: '"null" space',
  number: `${INTEGER} ("." [0-9]+)? ([eE] [-+]? [0-9]+)? space`,
  string: String.raw`"\"" ([^"\\\x00-\x1f] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" space`,
};

// Keywords that say nothing about a value, so that a schema of these alone lets it be anything.
const NOTES = "$comment $defs $id $schema default definitions deprecated description examples title".split(" ");
// Keywords for which an object or array without `properties` or `items` is not just any.
const STRUCTURE = "additionalProperties allOf if items not patternProperties prefixItems properties".split(" ");

const NOT_IN_NAMES = /[^0-9A-Za-z-]+/g;
const byName = new Intl.Collator("en").compare;

/** Converts one schema, or several whose rules are to stand in one grammar. */
export class SchemaConverter {
  /** @type {Map<string, string>} */
  #rules = new Map([["space", SPACE]]);
  /** @type {Map<string, string>} Names of the rules that references lead to. */
  #references = new Map();
  #propOrder;
  /** @type {Schema} The schema that references point into. */
  #document = true;
  /** @type {Record<string, string> | undefined} The rules of values of any type, by type. */
  #anything;

  /**
   * @param {Record<string, number>} [propOrder] ranks of properties. Low ranks come first, properties without a rank
   *   last; equal ones are ordered by their names.
   */
  constructor(propOrder = {}) {
    this.#propOrder = propOrder;
  }

  /**
   * Add the rules for a schema.
   *
   * @param {Schema} schema
   * @param {string} [name] of its rule; "" means root, the rule that a grammar begins with
   * @returns {string} the name that the rule has got
   * @throws {Error} "Unrecognized schema: ..." and the place of what has no grammar
   */
  visit(schema, name = "") {
    this.#document = schema;
    this.#references.clear();
    if (name && name !== "root") return this.#add(schema, name, "#");
    // Taken before anything below the schema can have the same name.
    const root = this.#reserve("root");
    this.#references.set("#", root);
    this.#rules.set(root, this.#ruleOf(schema, name, "#"));
    return root;
  }

  /**
   * The grammar.
   *
   * @returns {string} lines `name ::= rule`
   */
  formatGrammar() {
    return [...this.#rules].map(([name, rule]) => `${name} ::= ${rule}\n`).join("");
  }

  /**
   * @param {Schema} schema
   * @param {string} path names of what it is in
   * @param {string} place where it stands in the schema, for messages
   * @returns {string} the name of its rule
   */
  #add(schema, path, place) {
    const reference = referenceIn(schema);
    if (reference !== undefined) return this.#follow(reference, place);
    const shared = sharedTypeOf(schema);
    if (shared) return this.#named(shared, this.#sharedRule(shared));
    return this.#named(path, this.#ruleOf(schema, path, place));
  }

  /** @type {(schema: Schema, path: string, place: string) => string} The right side of a schema's rule. */
  #ruleOf(schema, path, place) {
    const reference = referenceIn(schema);
    if (reference !== undefined) return this.#follow(reference, place);
    const shared = sharedTypeOf(schema);
    if (shared) return this.#sharedRule(shared);
    const { oneOf, anyOf, enum: values, type, properties, items } = isObject(schema) ? schema : {};
    if (Array.isArray(oneOf)) return this.#alternatives(oneOf, path, `${place}/oneOf`);
    if (Array.isArray(anyOf)) return this.#alternatives(anyOf, path, `${place}/anyOf`);
    if (isObject(schema) && schema.const !== undefined) return literal(schema.const);
    if (Array.isArray(values) && values.length > 0) return values.map(literal).join(" | ");
    if (Array.isArray(type)) {
      const schemas = type.map((one) => ({ .../** @type {object} */ (schema), type: one }));
      return this.#alternatives(schemas, path, `${place}/type`);
    }
    if (isObject(properties) && (type ?? "object") === "object") return this.#object(properties, path, place);
    if (items !== undefined && (type ?? "array") === "array") return this.#array(items, path, place);
    throw new Error(`Unrecognized schema: ${JSON.stringify(schema)} at ${place}`);
  }

  /** @type {(schemas: Schema[], path: string, place: string) => string} */
  #alternatives(schemas, path, place) {
    if (schemas.length === 0) throw new Error(`Unrecognized schema: [] at ${place}`);
    return schemas.map((one, i) => this.#add(one, below(path, String(i)), `${place}/${i}`)).join(" | ");
  }

  /** @type {(properties: Record<string, Schema>, path: string, place: string) => string} */
  #object(properties, path, place) {
    const names = Object.keys(properties).sort((a, b) => this.#rank(a) - this.#rank(b) || byName(a, b));
    const members = names.map((name) => {
      const rule = this.#add(properties[name], below(path, name), `${place}/properties/${escaped(name)}`);
      return `${literal(name)} space ":" space ${rule}`;
    });
    return ['"{" space', members.join(' "," space '), '"}" space'].filter(Boolean).join(" ");
  }

  /** @type {(items: Schema, path: string, place: string) => string} */
  #array(items, path, place) {
    const item = this.#add(items, below(path, "item"), `${place}/items`);
    return `"[" space (${item} ("," space ${item})*)? "]" space`;
  }

  /** @param {string} name */
  #rank(name) {
    // Not Infinity, whose differences are no numbers.
    return Object.hasOwn(this.#propOrder, name) ? this.#propOrder[name] : Number.MAX_SAFE_INTEGER;
  }

  /**
   * @param {string} reference
   * @param {string} place
   * @returns {string} the name of the rule it leads to
   */
  #follow(reference, place) {
    const known = this.#references.get(reference);
    if (known) return known;
    const target = resolve(this.#document, reference);
    if (target === undefined) {
      throw new Error(`Unrecognized schema: nothing at $ref ${JSON.stringify(reference)}, which is at ${place}`);
    }
    // Before its rule is made, because the rule may refer to itself.
    const name = this.#reserve(reference.split("/").pop() ?? "");
    this.#references.set(reference, name);
    this.#rules.set(name, this.#ruleOf(target, name, reference));
    return name;
  }

  /**
   * @param {string} type a primitive one, or "object", "array" or "value" (any)
   * @returns {string} the rule for all values of it
   */
  #sharedRule(type) {
    if (Object.hasOwn(PRIMITIVES, type)) return PRIMITIVES[type];
    this.#anything ??= this.#addAnything();
    return this.#anything[type];
  }

  /** @returns {Record<string, string>} rules by type */
  #addAnything() {
    const [value, object, array] = ["value", "object", "array"].map((name) => this.#reserve(name));
    const [string, number, boolean, none] = ["string", "number", "boolean", "null"].map((name) =>
      this.#named(name, PRIMITIVES[name]),
    );
    const member = `${string} ":" space ${value}`;
    const rules = {
      value: [object, array, string, number, boolean, none].join(" | "),
      object: `"{" space (${member} ("," space ${member})*)? "}" space`,
      array: `"[" space (${value} ("," space ${value})*)? "]" space`,
    };
    this.#rules.set(value, rules.value).set(object, rules.object).set(array, rules.array);
    return rules;
  }

  /**
   * @param {string} wanted
   * @param {string} rule
   * @returns {string} the name of a rule: the wanted one, with a number if another rule has it
   */
  #named(wanted, rule) {
    const name = nameFor(wanted, (taken) => this.#rules.has(taken) && this.#rules.get(taken) !== rule);
    this.#rules.set(name, rule);
    return name;
  }

  /**
   * @param {string} wanted
   * @returns {string} the name of a rule that is still to be set
   */
  #reserve(wanted) {
    const name = nameFor(wanted, (taken) => this.#rules.has(taken));
    this.#rules.set(name, "");
    return name;
  }
}

/** @type {(wanted: string, isTaken: (name: string) => boolean) => string} */
function nameFor(wanted, isTaken) {
  const plain = wanted.replace(NOT_IN_NAMES, "-") || "-";
  let name = plain;
  for (let i = 0; isTaken(name); i += 1) name = `${plain}${i}`;
  return name;
}

/** @type {(path: string, name: string) => string} */
function below(path, name) {
  return path ? `${path}-${name}` : name;
}

/** @param {any} value */
function literal(value) {
  // Grammars have escapes of their own; JSON leaves nothing else than these two to escape.
  return `"${JSON.stringify(value).replace(/["\\]/g, "\\$&")}"`;
}

/** @type {(value: any) => value is { [keyword: string]: any }} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {Schema} schema
 * @returns {string | undefined} the type that alone makes the schema's rule
 */
function sharedTypeOf(schema) {
  if (schema === true) return "value";
  if (!isObject(schema) || holds(schema, ["oneOf", "anyOf", "const", "enum"])) return undefined;
  const { type } = schema;
  if (typeof type === "string" && Object.hasOwn(PRIMITIVES, type)) return type;
  if (Object.keys(schema).every((keyword) => NOTES.includes(keyword))) return "value";
  return (type === "object" || type === "array") && !holds(schema, STRUCTURE) ? type : undefined;
}

/** @type {(schema: object, keywords: string[]) => boolean} whether a schema has any of them */
function holds(schema, keywords) {
  return keywords.some((keyword) => Object.hasOwn(schema, keyword));
}

/** @type {(schema: Schema) => string | undefined} */
function referenceIn(schema) {
  return isObject(schema) && typeof schema.$ref === "string" ? schema.$ref : undefined;
}

/**
 * @param {Schema} document
 * @param {string} reference a JSON Pointer as the fragment of a URL
 * @returns {Schema | undefined}
 */
function resolve(document, reference) {
  const [outside, ...names] = reference.split("/");
  if (outside !== "#") return undefined;
  /** @type {any} */
  let found = document;
  for (const name of names) {
    const key = decoded(name).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found;
}

/** @param {string} name */
function decoded(name) {
  try {
    return decodeURIComponent(name);
  } catch {
    // A percent sign that stands for itself.
    return name;
  }
}

/** @param {string} name */
function escaped(name) {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
