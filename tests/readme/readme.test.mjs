// The example of README.md as a stranger runs it: the tarball in an empty folder, the code as written.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";

import { startRelay } from "../relay.mjs";

const LINES_MAX = 15;
const run = promisify(execFile);
const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");

test("the example prints what the README says it prints", { timeout: 120_000 }, async (t) => {
  const [example, output] = [fenced("js"), fenced("text")];
  const folder = await mkdtemp(join(tmpdir(), "eyot-readme-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await run("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", process.env.EYOT_TARBALL]);
  await writeFile(join(folder, "example.mjs"), example);

  const relay = await startRelay();
  t.after(() => relay.stop());
  const { stdout } = await run(process.execPath, ["example.mjs", relay.url], { cwd: folder });
  assert.equal(stdout, output);
});

test("the example stays short", () => {
  const lines = fenced("js")
    .split("\n")
    .filter((line) => line.trim() !== "");
  assert.ok(lines.length <= LINES_MAX, `${lines.length} lines`);
});

/** The first block of that language. */
function fenced(language) {
  const block = new RegExp("^```" + language + "\\n([^]*?)^```$", "m").exec(readme);
  assert.ok(block, `README.md has no block of ${language}`);
  return block[1];
}
