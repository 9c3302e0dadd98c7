// Writes the modules that the page imports to rest_adapter/web/vendor; with --check compares what is there instead.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { vendorFiles } from "./vendor.mjs";

const VENDOR = fileURLToPath(new URL("../../rest_adapter/web/vendor/", import.meta.url));

const files = await vendorFiles(fileURLToPath(new URL("node_modules/", import.meta.url)));
if (process.argv.includes("--check")) {
  const wrong = await differences(files);
  for (const line of wrong) console.error(`rest_adapter/web/vendor/${line}; \`make vendor\` writes it again`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} else {
  await write(files);
}

/** One line for each file that is missing, differs, or should not be there. */
async function differences(wanted) {
  const lines = [];
  for (const [name, text] of wanted) {
    const found = await readFile(VENDOR + name, "utf8").catch(() => null);
    if (found === null) lines.push(`${name} is missing`);
    else if (found !== text) lines.push(`${name} differs from what the pinned packages give`);
  }
  for (const name of await namesThere()) {
    if (!wanted.has(name)) lines.push(`${name} comes from no package`);
  }
  return lines;
}

/** Makes the directory hold these files and no others. */
async function write(wanted) {
  await mkdir(VENDOR, { recursive: true });
  for (const [name, text] of wanted) await writeFile(VENDOR + name, text);
  for (const name of await namesThere()) {
    if (!wanted.has(name)) await rm(VENDOR + name);
  }
}

async function namesThere() {
  return (await readdir(VENDOR, { withFileTypes: true }).catch(() => [])).map((entry) => entry.name);
}
