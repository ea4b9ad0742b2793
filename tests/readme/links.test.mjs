/** Links between the Markdown files of the repository lead somewhere. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { REPOSITORY } from "./blocks.mjs";

const FOREIGN = new Set(["node_modules", "target", "dist", "api", ".git", ".eyot"]);

async function markdown(folder = "") {
  const entries = await readdir(join(REPOSITORY, folder), { withFileTypes: true });
  const found = await Promise.all(
    entries.map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return FOREIGN.has(entry.name) ? [] : markdown(path);
      return entry.name.endsWith(".md") && entry.name !== "THIRD-PARTY.md" ? [path] : [];
    }),
  );
  return found.flat();
}

/** A heading's anchor, as the site and the usual hosts of repositories make it. */
const anchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[`*]/g, "")
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

it("every link to a file or a heading leads there", async () => {
  const files = await markdown();
  const texts = new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(REPOSITORY, file), "utf8")])),
  );
  const anchors = (file) => [...texts.get(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading));
  const links = [...texts].flatMap(([file, text]) => {
    const prose = text.replace(/^```[^]*?^```$/gm, "").replace(/`[^`\n]*`/g, "");
    return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => ({ file, link }));
  });
  const inside = links.filter(({ link }) => !/^\w+:/.test(link));
  assert.ok(inside.length > 50);
  const dead = inside.filter(({ file, link }) => {
    const [path, heading] = link.split("#");
    const target = path === "" ? file : join(dirname(file), path);
    if (!existsSync(join(REPOSITORY, target))) return true;
    return heading !== undefined && !anchors(target).includes(heading);
  });
  assert.deepEqual(dead, []);
});
