/** The examples of Markdown files, and their links. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** The pages that are written for the site, as `start/page.md`, with their text. */
export async function pages() {
  const docs = join(REPOSITORY, "docs");
  const names = await readdir(docs, { recursive: true });
  const written = names.filter((name) => name.endsWith(".md") && !/^(api|node_modules|\.vitepress)\//.test(name));
  return Promise.all(written.sort().map(async (name) => ({ name, text: await readFile(join(docs, name), "utf8") })));
}

/**
 * The blocks of a page: the language, the file that it is (`js [main.js]`) if it is one, its code and its line.
 * @returns {{ language: string, file: string | undefined, code: string, line: number }[]}
 */
export function blocks(markdown) {
  return [...markdown.matchAll(/^```(\w+)(?: \[(.+)\])?\n([^]*?)^```$/gm)].map((found) => ({
    language: found[1],
    file: found[2],
    code: found[3],
    line: markdown.slice(0, found.index).split("\n").length,
  }));
}

/** The file that a page shows, by its name. */
export async function shown(page, file) {
  const found = blocks(await readFile(join(REPOSITORY, "docs", page), "utf8")).filter((block) => block.file === file);
  if (found.length !== 1) throw new Error(`${page} has ${found.length} blocks of ${file}`);
  return found[0].code;
}
