// A page of the user's own, at the root of the server that SLOTLINE_URL names; SLOTLINE_TEXT is what the model says.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { SLOTLINE_URL: base, SLOTLINE_TEXT: text } = process.env;

test("the page's script runs as it was written, with the modules that the server has", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "slotline-page-"));
  t.after(() => rm(folder, { recursive: true }));
  const page = await (await fetch(`${base}/`)).text();
  const [, script] = page.match(/<script type="module">\n(.*)<\/script>/s);
  const [, path] = script.match(/ from '(\/.*)'/);
  const written = [];
  // What a browser has and Node has not: addresses relative to the page, and the page.
  const realFetch = globalThis.fetch;
  t.mock.method(globalThis, "fetch", (url, options) => realFetch(new URL(url, base), options));
  globalThis.document = { write: (part) => written.push(part) };
  await writeFile(join(folder, "module.mjs"), await (await fetch(path)).text());
  await writeFile(join(folder, "page.mjs"), script.replace(path, "./module.mjs"));
  await import(pathToFileURL(join(folder, "page.mjs")).href);
  assert.equal(written.join(""), text);
  assert.ok(written.length > 1);
});
