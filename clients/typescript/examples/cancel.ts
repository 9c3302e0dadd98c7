// Three ways to end a generation early. Each frees its slot on the server at once.

import { Client, SlotlineError } from "slotline-client";

const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051");
const endless = { ignoreEos: true, maxTokens: 500 };

// Leaving the loop.
for await (const text of client.generate("One, two,", endless).text()) {
  console.log(`left after ${JSON.stringify(text)}`);
  break;
}

// An AbortSignal, which everything takes: a call fails with the signal's reason.
const abort = new AbortController();
try {
  for await (const event of client.generate("One, two,", { ...endless, signal: abort.signal })) {
    if (event.type === "text") {
      abort.abort();
    }
  }
} catch (error) {
  console.log(`aborted: ${(error as Error).name}`);
}

// A time limit for the whole call, waiting included.
try {
  await client.complete("One, two,", { ...endless, timeoutMs: 100 });
} catch (error) {
  console.log(`too late: ${(error as SlotlineError).code}`);
}

while ((await client.health()).slotsProcessing > 0) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log("all slots are free");
client.close();
