// The contract without this client: @grpc/grpc-js, with messages that @grpc/proto-loader makes of the published contract.
// (It cannot read the .proto files themselves: its parser does not know lists of messages as options.)

import { readFileSync } from "node:fs";

import * as grpc from "@grpc/grpc-js";
import * as protoLoader from "@grpc/proto-loader";

const contract = readFileSync(new URL("../../../../protos/baseline.binpb", import.meta.url));
const definition = protoLoader.loadFileDescriptorSetFromBuffer(contract, { enums: String, longs: Number, oneofs: true });
// What is loaded at run time has no types.
const { slotline } = grpc.loadPackageDefinition(definition) as any;
const target = process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051";
const stub = new slotline.v1.InferenceService(target, grpc.credentials.createInsecure());

const request = { text: "The capital of France is", stop: { max_tokens: 8 }, sampling: { temperature: 0 } };
const call = stub.Generate(request, { deadline: Date.now() + 30_000 });
for await (const message of call) {
  if (message.event === "delta") {
    process.stdout.write(message.delta.pieces.map((piece: { text: string }) => piece.text).join(""));
  } else if (message.event === "finished") {
    console.log(`\n${message.finished.reason} after ${message.finished.tokens_predicted} tokens`);
  }
}
stub.close();
