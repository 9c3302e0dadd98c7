// A question about a picture: node build/examples/picture.js FILE [QUESTION]
//
// The server needs a model that takes pictures, and its projector (--mmproj).

import { Client, image } from "slotline-client";

const [file, question = "What is in this picture?"] = process.argv.slice(2);
if (file === undefined) {
  throw new TypeError("usage: node build/examples/picture.js FILE [QUESTION]");
}
const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051");
const [model] = await client.models();
if (model!.images === undefined) {
  console.log(`${model!.name} takes no pictures`);
} else {
  const messages = [{ role: "user", content: [await image(file), question] }];
  const answer = await client.chat(messages, { maxTokens: 64, temperature: 0 });
  console.log(answer.text);
  console.log(`${answer.usage.imageTokens} tokens of ${answer.usage.promptTokens} are the picture`);
}
client.close();
