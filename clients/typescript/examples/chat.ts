// A conversation of two turns, and a tool that the model calls.

import { Client, type Message, type Tool } from "slotline-client";

const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051");

const messages: Message[] = [{ role: "user", content: "What is the capital of Germany?" }];
const answer = await client.chat(messages, { maxTokens: 32, temperature: 0 });
console.log(`${answer.text} (${answer.finishReason}, ${answer.usage.completionTokens} tokens)`);

messages.push(answer.message, { role: "user", content: "And of France?" });
for await (const event of client.generate(messages, { maxTokens: 32, temperature: 0 })) {
  if (event.type === "text") {
    process.stdout.write(event.text);
  } else if (event.type === "finished") {
    console.log(`\n${event.finished.usage?.cachedPromptTokens} tokens of the prompt were in the cache`);
  }
}

const weather: Tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city, now.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const call = await client.chat([{ role: "user", content: "What is the weather in Paris?" }], {
  tools: [weather],
  toolChoice: "required",
  parallelToolCalls: false,
  maxTokens: 64,
  temperature: 0,
});
for (const { name, arguments: given } of call.toolCalls) {
  console.log(name, JSON.parse(given));
}
client.close();
