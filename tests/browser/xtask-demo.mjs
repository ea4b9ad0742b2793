/** `cargo xtask demo` as it is started, with a folder of its own for the relays' data. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export async function startXtaskDemo() {
  const folder = await mkdtemp(join(tmpdir(), "eyot-regions-"));
  const demo = spawn("cargo", ["xtask", "demo", "--data", join(folder, "data")], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    if (demo.exitCode === null) {
      demo.kill("SIGTERM");
      await once(demo, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await addresses(demo)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Of the application and of the map. */
async function addresses(demo) {
  const found = {};
  for await (const line of createInterface({ input: demo.stdout })) {
    const [, name, url] = /^\s+(map|demo)\s+(\S+)/.exec(line) ?? [];
    if (name !== undefined) found[name] = url;
    if (found.map !== undefined && found.demo !== undefined) {
      demo.stdout.resume();
      return found;
    }
  }
  throw new Error("the demo ended before it was ready");
}
