// A relay on workerd with a folder of its own, which goes with it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const SERVE = fileURLToPath(new URL("../worker/serve.mjs", import.meta.url));

/** `flags` are those of the Worker's `serve.mjs`. */
export async function startRelay({ region = "eu", flags = [] } = {}) {
  const data = await mkdtemp(join(tmpdir(), "eyot-relay-"));
  const start = (port) => run(["--region", region, "--port", String(port), "--data", data, ...flags]);
  let running = await start(0);
  const { url } = running;
  const port = Number(new URL(url).port);
  return {
    url,
    port,
    /** Ends workerd itself as `kill -9` does. */
    kill: () => running.kill(),
    /** Starts it again, on the same folder and port. */
    async restart() {
      running = await start(port);
    },
    async stop() {
      await running.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function run(flags) {
  const child = spawn(process.execPath, [SERVE, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const { pid, url } = await ready(child);
  return {
    url,
    async kill() {
      process.kill(pid, "SIGKILL");
      await exited;
    },
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** The process that serves, and where. */
async function ready(child) {
  let pid;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("workerd pid ")) pid = Number(line.slice("workerd pid ".length));
    if (line.startsWith("ready ")) return { pid, url: line.slice("ready ".length).trim() };
  }
  throw new Error("the relay ended before it was ready");
}
