/** Tools to begin with. */

/** @type {{name: string, text: string}[]} */
export const TOOL_EXAMPLES = [
  example("Weather", {
    name: "get_weather",
    description: "The weather in a city, now.",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 40 }, unit: { enum: ["celsius", "fahrenheit"] } },
      required: ["city"],
      additionalProperties: false,
    },
  }),
  example("Calculator", {
    name: "calculate",
    description: "The result of an operation on two numbers.",
    parameters: {
      type: "object",
      properties: {
        operation: { enum: ["add", "subtract", "multiply", "divide"] },
        first: { type: "number" },
        second: { type: "number" },
      },
      required: ["operation", "first", "second"],
      additionalProperties: false,
    },
  }),
];

function example(name, declared) {
  return { name, text: JSON.stringify([{ type: "function", function: declared }], null, 2) };
}
