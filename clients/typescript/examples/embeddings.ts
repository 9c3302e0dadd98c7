// How alike texts are. The server needs --embedding.

import { Client } from "slotline-client";

const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051");
const texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "The stock market fell today."];
const vectors = await client.embed(texts);
// They have length 1, so that the cosine is the sum of the products.
const cosine = (one: number[], other: number[]): number => one.reduce((sum, value, i) => sum + value * other[i]!, 0);
console.log(`${vectors.length} vectors of ${vectors[0]!.length} numbers`);
vectors.forEach((vector, i) => console.log(`${cosine(vectors[0]!, vector).toFixed(3)}  ${texts[i]}`));
client.close();
