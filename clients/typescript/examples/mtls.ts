// TLS with a certificate of the client: node build/examples/mtls.js CA_FILE CERTIFICATE_FILE KEY_FILE
//
// The server: slotline core --grpc-tls-cert server.pem --grpc-tls-key server.key --grpc-client-ca ca.pem

import { readFileSync } from "node:fs";

import { Client } from "slotline-client";

const [ca, cert, key] = process.argv.slice(2).map((file) => readFileSync(file));
if (ca === undefined || cert === undefined || key === undefined) {
  throw new TypeError("usage: node build/examples/mtls.js CA_FILE CERTIFICATE_FILE KEY_FILE");
}
// { ca } alone is TLS without a certificate of the client; true trusts the authorities of Node.js.
const client = new Client(process.env["SLOTLINE_TARGET"] ?? "127.0.0.1:50051", { tls: { ca, cert, key } });
const [model] = await client.models();
console.log(`connected to ${model!.name}`);
client.close();
