import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { keyPair, secretKey, sign } from "./tokens.mjs";
import { connect, greeting } from "./world.mjs";

const SERVE = fileURLToPath(new URL("../serve.mjs", import.meta.url));

test("a served relay says when it is ready, and takes workerd along when it is told to stop", async (context) => {
  const { server, pid, url } = await serve(context, process.execPath, [SERVE]);
  const health = await fetch(`${url.replace("ws:", "http:")}/health`);
  assert.deepEqual(await health.json(), { status: "ok", region: "us" });
  server.kill("SIGTERM");
  const [code] = await once(server, "exit");
  assert.equal(code, 0);
  await gone(pid);
});

test("a served relay stops when whoever started it has died", async (context) => {
  const { server, pid } = await serve(context, "sh", ["-c", `"$0" "$@"; true`, process.execPath, SERVE]);
  server.kill("SIGKILL");
  await gone(pid);
});

test("a served relay that is killed takes workerd along", async (context) => {
  const { server, pid } = await serve(context, process.execPath, [SERVE]);
  server.kill("SIGKILL");
  await gone(pid);
});

test("a served relay checks tokens with the keys in a file, or with the secret in it", async (context) => {
  const key = await keyPair("ES256", "one");
  const shared = secretKey();
  const folder = await mkdtemp(join(tmpdir(), "eyot-keys-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  for (const [flag, text, signer] of [
    ["--jwt-key", JSON.stringify({ keys: [key.jwk] }), key],
    ["--jwt-secret", `${shared.secret}\n`, shared],
  ]) {
    await writeFile(join(folder, "file"), text);
    const { url } = await serve(context, process.execPath, [SERVE, flag, join(folder, "file")]);
    const token = await sign(signer);
    const [good, none] = await Promise.all([connect({ url }, "space", { token }), connect({ url })]);
    good.socket.send(await greeting("space", token));
    assert.match((await none.closed).reason, /a token is needed/);
    assert.equal(good.socket.readyState, good.socket.OPEN);
    good.socket.terminate();
  }
});

test("a file with a public key that is no JSON is not taken for a secret", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "eyot-keys-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  for (const text of [
    `ssh-ed25519 ${"A".repeat(68)}`,
    "MCowBQYDK2VwAyEA0KLoEXYkgQQWAPAUHJOMBmIrEhVFP8zKJvmHYi+3mYg=",
    "-----BEGIN PUBLIC KEY-----\nMCow",
    "https://keys.example/jwks.json",
    '"{}"',
    "",
  ]) {
    await writeFile(join(folder, "file"), text);
    const args = [SERVE, "--data", folder, "--jwt-key", join(folder, "file")];
    const server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    const said = textOf(server.stderr);
    const [code] = await once(server, "exit");
    assert.equal(code, 1, text);
    assert.match(await said, /--jwt-key: keys are given as JSON/);
  }
});

async function textOf(stream) {
  return Buffer.concat(await stream.toArray()).toString();
}

test("a served relay whose workerd dies fails", async (context) => {
  const { server, pid } = await serve(context, process.execPath, [SERVE]);
  process.kill(pid, "SIGKILL");
  const [code] = await once(server, "exit");
  assert.equal(code, 1);
});

async function serve(context, program, before) {
  const data = await mkdtemp(join(tmpdir(), "eyot-data-"));
  context.after(() => rm(data, { recursive: true, force: true }));
  const server = spawn(program, [...before, "--region", "us", "--data", data], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => server.kill("SIGKILL"));
  const said = {};
  for await (const line of createInterface({ input: server.stdout })) {
    const [, pid] = /^workerd pid (\d+)$/.exec(line) ?? [];
    const [, url] = /^ready (ws:\/\/127\.0\.0\.1:\d+)$/.exec(line) ?? [];
    if (pid !== undefined) said.pid = Number(pid);
    if (url !== undefined) return { server, url, ...said };
  }
  throw new Error("the relay ended before it was ready");
}

/** Waits until no process has this id. */
async function gone(pid) {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
