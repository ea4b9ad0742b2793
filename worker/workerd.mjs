// The Worker on one machine: bundled, and run by `workerd` with its objects' storage in a folder.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import workerd from "workerd";

const here = dirname(fileURLToPath(import.meta.url));

const worker = join(here, "src/index.ts");

/**
 * The Worker as one file of JavaScript and one of Wasm, in a folder of its own.
 *
 * @returns {Promise<string>} the folder
 */
export async function bundle(entry = worker) {
  const folder = await mkdtemp(join(tmpdir(), "eyot-worker-"));
  let wasm;
  /** @type {import("esbuild").Plugin} */
  const compiledModules = {
    name: "compiled modules",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        wasm = resolve(resolveDir, path);
        return { path: "eyot.wasm", external: true };
      });
    },
  };
  await build({
    entryPoints: [entry],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd"],
    external: ["cloudflare:*"],
    plugins: [compiledModules],
    logLevel: "warning",
  });
  await copyFile(wasm, join(folder, "eyot.wasm"));
  return folder;
}

/**
 * Starts `workerd`; resolves once it serves.
 *
 * @param {{ folder: string, region: string, data: string, port?: number, origins?: string[] }} options
 *   `folder` is a bundle's; port 0 takes any that is free; without `origins` all may connect
 */
export async function start({ folder, region, data, port = 0, origins = [] }) {
  await mkdir(data, { recursive: true });
  const config = await mkdtemp(join(folder, "run-"));
  await writeFile(join(config, "config.capnp"), configuration({ region, data: resolve(data), port, origins }));
  const child = spawn(workerd.default, ["serve", "--experimental", "--control-fd=3", join(config, "config.capnp")], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const exited = once(child, "exit").then(() => rm(config, { recursive: true, force: true }));
  const listening = await Promise.race([listens(child.stdio[3]), exited]);
  if (listening === undefined) throw new Error("workerd has not started");
  return {
    pid: child.pid,
    port: listening,
    url: `ws://127.0.0.1:${listening}`,
    exited,
    /** Asked to end, `workerd` would wait for its connections to. What it has acknowledged is on disk. */
    async stop() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The port, once the control channel names it. */
async function listens(control) {
  for await (const line of createInterface({ input: control })) {
    const message = JSON.parse(line);
    if (message.event === "listen" && message.socket === "relay") return message.port;
  }
  return undefined;
}

function configuration({ region, data, port, origins }) {
  const text = JSON.stringify;
  const variables = { REGION: region, ...(origins.length > 0 && { ORIGINS: origins.join(" ") }) };
  const bindings = Object.entries(variables).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)}),`);
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "relay", worker = .relay),
    (name = "data", disk = (path = ${text(data)}, writable = true)),
  ],
  sockets = [(name = "relay", address = "127.0.0.1:${port}", http = (), service = "relay")],
);

const relay :Workerd.Worker = (
  compatibilityDate = "2026-07-01",
  modules = [
    (name = "worker", esModule = embed "../worker.js"),
    (name = "eyot.wasm", wasm = embed "../eyot.wasm"),
  ],
  bindings = [
    (name = "SPACE_RELAY", durableObjectNamespace = "SpaceRelay"),
    ${bindings.join("\n    ")}
  ],
  durableObjectNamespaces = [(className = "SpaceRelay", uniqueKey = "eyot-space-relay", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
);
`;
}
