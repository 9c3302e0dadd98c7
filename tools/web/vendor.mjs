// Makes ES modules that browsers load as they are of npm packages: no build step but joining and renaming.

import { readFile } from "node:fs/promises";
import path from "node:path";

/** File of ours -> file of a package. */
const MODULES = {
  "preact.js": "preact/dist/preact.mjs",
  "preact-hooks.js": "preact/hooks/dist/hooks.mjs",
  "signals-core.js": "@preact/signals-core/dist/signals-core.mjs",
  "signals.js": "@preact/signals/dist/signals.mjs",
  "htm.js": "htm/dist/htm.mjs",
  "marked.js": "marked/lib/marked.esm.js",
  "idb.js": "idb/build/index.js",
};

/** Package that a module imports by its name -> file of ours. */
const IMPORTS = {
  preact: "preact.js",
  "preact/hooks": "preact-hooks.js",
  "@preact/signals-core": "signals-core.js",
};

const DOMPURIFY = "dompurify/dist/purify.min.js";

const HIGHLIGHT = "@highlightjs/cdn-assets/es";
/** What code in answers is mostly written in. */
const LANGUAGES = [
  "bash", "c", "cpp", "csharp", "css", "diff", "dockerfile", "go", "ini", "java", "javascript", "json", "kotlin", "lua",
  "markdown", "php", "python", "ruby", "rust", "shell", "sql", "swift", "typescript", "xml", "yaml",
];

const PACKAGES = [
  "preact", "@preact/signals-core", "@preact/signals", "htm", "marked", "dompurify", "@highlightjs/cdn-assets", "idb",
];

/**
 * The files of rest_adapter/web/vendor, made of installed packages.
 *
 * @param {string} packages the directory node_modules
 * @returns {Promise<Map<string, string>>} text by file name
 * @throws {Error} if a package has another form than expected
 */
export async function vendorFiles(packages) {
  const read = (name) => readFile(path.join(packages, name), "utf8");
  const files = new Map();
  for (const [name, source] of Object.entries(MODULES)) files.set(name, await read(source));
  files.set("dompurify.js", asModule(await read(DOMPURIFY)));
  files.set("highlight.js", await highlight(read));
  for (const [name, text] of files) files.set(name, finished(name, text));
  files.set("LICENSES.txt", await licenses(read));
  return files;
}

/** A script as a module. It looks for CommonJS first: given that, it makes no global. */
function asModule(script) {
  return `const module={exports:{}},exports=module.exports;\n${withoutSourceMap(script)}export default module.exports;`;
}

/** The core and all languages as one module. */
async function highlight(read) {
  const form = /^([^]*?)export\s*\{\s*(\w+) as default\s*\};?\s*$/;
  const [, code, name] = taken("core", await read(`${HIGHLIGHT}/core.min.js`), form);
  const parts = [code];
  for (const language of LANGUAGES) {
    const text = await read(`${HIGHLIGHT}/languages/${language}.min.js`);
    const [, grammar] = taken(language, text, /^[^]*?var hljsGrammar=([^]*?);?\s*export default hljsGrammar;?\s*$/);
    parts.push(`${name}.registerLanguage(${JSON.stringify(language)},${grammar});`);
  }
  return `${parts.join("\n")}\nexport{${name} as default};`;
}

/** The groups of a text that must have a form. */
function taken(what, text, form) {
  const found = form.exec(text);
  if (found === null) throw new Error(`highlight.js: ${what} has another form than expected: ${form}`);
  return found;
}

/** Imports by file name, no source map, a newline at the end; fails if anything is left that a browser cannot load. */
function finished(name, text) {
  const done = withoutSourceMap(text).replace(
    /(\bfrom\s*|\bimport\s*\(?\s*)(["'])([@\w][^"'\s]*)\2/g,
    (whole, before, quote, specifier) => {
      if (specifier in IMPORTS) return `${before}${quote}./${IMPORTS[specifier]}${quote}`;
      const allowed = Object.keys(IMPORTS).join(", ");
      throw new Error(`${name}: imports "${specifier}", which is no file of ours; allowed: ${allowed}`);
    },
  );
  if (done.includes("sourceMappingURL")) throw new Error(`${name}: a reference to a source map is left`);
  return `${done.trimEnd()}\n`;
}

function withoutSourceMap(text) {
  return text.replace(/\s*\/\/# sourceMappingURL=\S*\s*$/, "\n");
}

/** The licence of each package under its name and version. */
async function licenses(read) {
  const parts = ["The modules in this directory are copies from these packages.\n"];
  for (const name of PACKAGES) {
    const { version, license } = JSON.parse(await read(`${name}/package.json`));
    parts.push(`${"=".repeat(80)}\n${name} ${version}: ${license}\n${"=".repeat(80)}\n`);
    parts.push(`${(await read(`${name}/LICENSE`)).trim()}\n`);
  }
  return parts.join("\n").replaceAll("\r\n", "\n");
}
