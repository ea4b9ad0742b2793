// The Worker on one machine: bundled, and run by `workerd` with its objects' storage in a folder.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import workerd from "workerd";

const here = dirname(fileURLToPath(import.meta.url));

const worker = join(here, "src/index.ts");

/**
 * The Worker as one file of JavaScript and the Wasm that it imports, in a folder of its own.
 *
 * @returns {Promise<string>} the folder
 */
export async function bundle(entry = worker) {
  const folder = await mkdtemp(join(tmpdir(), "eyot-worker-"));
  /** @type {Set<string>} */
  const wasm = new Set();
  /** @type {import("esbuild").Plugin} */
  const compiledModules = {
    name: "compiled modules",
    setup({ onResolve }) {
      onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        wasm.add(resolve(resolveDir, path));
        return { path: basename(path), external: true };
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
  for (const file of wasm) await copyFile(file, join(folder, basename(file)));
  return folder;
}

/**
 * Starts `workerd`; resolves once it serves.
 *
 * @param {{ folder: string, data: string, port?: number, variables?: Record<string, string | undefined>, placeHeader?: string }} options
 *   `folder` is a bundle's; port 0 takes any that is free; `variables` are those of `src/index.ts`; requests say in
 *   the header `placeHeader` what the platform would say of them in `cf`
 */
export async function start({ folder, data, port = 0, variables = {}, placeHeader }) {
  await mkdir(data, { recursive: true });
  const config = await mkdtemp(join(folder, "run-"));
  const wasm = (await readdir(folder)).filter((name) => name.endsWith(".wasm"));
  const text = configuration({ wasm, data: resolve(data), port, variables, placeHeader });
  await writeFile(join(config, "config.capnp"), text);
  const child = spawn(workerd.default, ["serve", "--experimental", "--control-fd=3", join(config, "config.capnp")], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const guard = endWithThisProcess(child.pid);
  const exited = once(child, "exit").then(() => {
    guard.kill("SIGKILL");
    return rm(config, { recursive: true, force: true });
  });
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

/** Ends a process once this one is gone, however that came: a pipe from here then ends. */
function endWithThisProcess(pid) {
  const guard = spawn("sh", ["-c", 'read _; kill -9 "$0"', String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    // Of a group of its own: what ends this process's group must not end it.
    detached: true,
  });
  guard.unref();
  return guard;
}

/** The port, once the control channel names it. */
async function listens(control) {
  for await (const line of createInterface({ input: control })) {
    const message = JSON.parse(line);
    if (message.event === "listen" && message.socket === "relay") return message.port;
  }
  return undefined;
}

function configuration({ wasm, data, port, variables, placeHeader }) {
  const text = JSON.stringify;
  const bindings = Object.entries(variables)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `(name = ${text(name)}, text = ${text(value)}),`);
  const http = placeHeader === undefined ? "" : `cfBlobHeader = ${text(placeHeader)}`;
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "relay", worker = .relay),
    (name = "data", disk = (path = ${text(data)}, writable = true)),
    # Relays of other regions may be on this machine.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "relay", address = "127.0.0.1:${port}", http = (${http}), service = "relay")],
);

const relay :Workerd.Worker = (
  compatibilityDate = "2026-07-01",
  modules = [
    (name = "worker", esModule = embed "../worker.js"),
    ${wasm.map((name) => `(name = ${text(name)}, wasm = embed ${text(`../${name}`)}),`).join("\n    ")}
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
