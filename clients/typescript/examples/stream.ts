// Text as it is generated: node build/examples/stream.js [PROMPT]

import { Client } from "slotline-client";

const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051");
const prompt = process.argv[2] ?? "The capital of France is";
for await (const text of client.generate(prompt, { maxTokens: 32, temperature: 0 }).text()) {
  process.stdout.write(text);
}
process.stdout.write("\n");
client.close();
