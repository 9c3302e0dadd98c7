// What can go wrong, and how to tell.

import { Client, LostError, SlotlineError } from "slotline-client";

const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051");

// What no request can hold fails at once, with an error of JavaScript.
try {
  await client.complete("Hello", { maxTokens: -1 });
} catch (error) {
  console.log((error as RangeError).message);
}

// What the server refuses has a reason, and the field if one is wrong.
try {
  await client.complete("Hello", { model: "no-such-model" });
} catch (error) {
  if (!(error instanceof SlotlineError)) {
    throw error;
  }
  console.log(error.code, error.reason, error.metadata);
}
try {
  await client.complete("Hello", { temperature: Number.NaN });
} catch (error) {
  console.log((error as SlotlineError).reason, (error as SlotlineError).field);
}

// A server that is busy says when to come back. Of several servers all have been asked by then.
// A stream that breaks off after it began is never repeated: whether to ask again is up to you.
try {
  console.log((await client.complete("Hello", { maxTokens: 4, temperature: 0 })).text.length > 0);
} catch (error) {
  if (error instanceof LostError) {
    console.log(`lost: ${error.accepted.requestId} of ${error.accepted.instanceId}`);
  } else if (error instanceof SlotlineError && error.retryAfterMs !== undefined) {
    console.log(`come back in ${error.retryAfterMs} ms`);
  } else {
    throw error;
  }
}
client.close();

// Nobody there.
const nobody = new Client("127.0.0.1:1");
try {
  await nobody.health();
} catch (error) {
  console.log((error as SlotlineError).code);
}
nobody.close();
