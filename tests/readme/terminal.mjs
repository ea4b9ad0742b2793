/** Follows a page as a person does: writes the files that it shows, and runs its commands. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { blocks, REPOSITORY } from "./blocks.mjs";

/**
 * Does what a page says, from top to bottom. Commands are run where those before have gone, or in the repository where their
 * block says so; `replaced` has what is another one here. A command in a terminal of its own goes on until `end`.
 */
export async function follow(page, { replaced = {}, skipped = [] } = {}) {
  const base = await realpath(await mkdtemp(join(tmpdir(), "eyot-steps-")));
  const terminals = [];
  let place = base;
  const here = (text) => Object.entries(replaced).reduce((text, [from, to]) => text.replaceAll(from, to(base)), text);
  const end = async () => {
    for (const child of terminals) {
      if (child.exitCode === null && child.signalCode === null) {
        // A group of its own: what it has started ends with it.
        process.kill(-child.pid, "SIGTERM");
        await once(child, "exit");
      }
    }
    await rm(base, { recursive: true, force: true, maxRetries: 5 });
  };
  // A test that is run by a test would say so to that, in place of running.
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const shell = (command, cwd, options) =>
    spawn("sh", ["-ec", command], { cwd, env, stdio: ["ignore", "pipe", "inherit"], ...options });
  try {
    for (const { language, file = "", code } of blocks(page)) {
      if (skipped.includes(code.trim())) continue;
      const cwd = file.includes("repository") ? REPOSITORY : place;
      if (language !== "sh") {
        await mkdir(dirname(join(place, file)), { recursive: true });
        await writeFile(join(place, file), here(code));
      } else if (file.includes("terminal")) {
        terminals.push(await serving(shell(here(code), cwd, { detached: true }), code));
      } else {
        const child = shell(`${here(code)}\npwd`, cwd);
        const [said, [status]] = await Promise.all([read(child.stdout), once(child, "exit")]);
        if (status !== 0) throw new Error(`${code} ended with ${status}: ${said}`);
        if (cwd === place) place = said.trim().split("\n").at(-1);
      }
    }
  } catch (error) {
    await end();
    throw error;
  }
  return { end };
}

async function read(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}

/** Resolves once a server says that it serves. */
function serving(child, code) {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
      if (/ready/.test(said)) resolve(child);
    });
    child.once("exit", () => reject(new Error(`${code} ended: ${said}`)));
  });
}
