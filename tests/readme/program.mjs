/** Runs the examples of a page as one program, in a process of its own. */
import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Each `console.log` with a comment behind it has to print what the comment says. */
const CHECK = `
import { inspect as inspectForCheck } from "node:util";
const printed = new Map();
function printing(line, ...values) {
  const text = values.map((value) => (typeof value === "string" ? value : inspectForCheck(value, { breakLength: Infinity })));
  if (!printed.has(line)) printed.set(line, text.join(" "));
}
`;
const REPORT = `
console.log(JSON.stringify([...printed]));
process.exit(); // WebRTC in Node takes some time to end
`;
const LOG = /^(.*)console\.log\((.*)\)(;|\);) \/\/ (.*)$/;

/** A folder in which modules find the packages of this workspace. */
export async function folder() {
  const made = await realpath(await mkdtemp(join(tmpdir(), "eyot-docs-")));
  await symlink(MODULES, join(made, "node_modules"));
  return { path: made, remove: () => rm(made, { recursive: true, force: true }) };
}

/**
 * Runs the blocks, with what is before and after them in an application. Comes to what each `console.log` should print and
 * what it printed first, by its line in the page.
 */
export async function program(blocks, { before = "", after = "", change = (code) => code } = {}) {
  const { path, remove } = await folder();
  const expected = [];
  const code = blocks.map(({ code, line: first }) =>
    change(code)
      .split("\n")
      .map((text, index) => {
        const [all, start, values, end, comment] = LOG.exec(text) ?? [];
        if (all === undefined) return text;
        const line = first + 1 + index;
        expected.push([line, comment]);
        return `${start}printing(${line}, ${values})${end}`;
      })
      .join("\n"),
  );
  try {
    await writeFile(join(path, "page.mjs"), [CHECK, before, ...code, after, REPORT].join("\n"));
    const { stdout } = await run(process.execPath, ["page.mjs"], { cwd: path, timeout: 60_000 });
    const printed = new Map(JSON.parse(stdout.trim().split("\n").at(-1)));
    return {
      expected: expected.map(([line, text]) => `line ${line}: ${text}`),
      printed: expected.map(([line]) => `line ${line}: ${printed.get(line) ?? "never"}`),
    };
  } finally {
    await remove();
  }
}
