/** Schemas to begin with. */

/** @type {{name: string, text: string}[]} */
export const SCHEMA_EXAMPLES = [
  example("Person", {
    type: "object",
    properties: { name: { type: "string", maxLength: 40 }, age: { type: "integer", minimum: 0, maximum: 120 } },
    required: ["name", "age"],
    additionalProperties: false,
  }),
  example("List of ideas", {
    type: "array",
    items: { type: "string", maxLength: 80 },
    minItems: 3,
    maxItems: 5,
  }),
  example("Choice", {
    type: "object",
    properties: { mood: { enum: ["good", "bad", "mixed"] }, reason: { type: "string", maxLength: 120 } },
    required: ["mood", "reason"],
    additionalProperties: false,
  }),
];

function example(name, schema) {
  return { name, text: JSON.stringify(schema, null, 2) };
}
