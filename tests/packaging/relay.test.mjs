/**
 * `npx eyot relay` from the tarball, in a Node that has SQLite: that of this process or one installed beside it. Run alone:
 * node --test tests/packaging/relay.test.mjs
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SignJWT } from "jose";
import { WebSocket } from "ws";
import { freePorts } from "../free-ports.mjs";
import { project, run, start } from "./project.mjs";

const timeout = 60_000;
const NODE = "22.23.3";
const SECRET = "a secret of at least 32 bytes, known to the relay too";
const repository = fileURLToPath(new URL("../..", import.meta.url));

let app, node, cli, eyot;
before(
  async () => {
    const [major, minor] = process.versions.node.split(".").map(Number);
    const hasSqlite = major > 22 || (major === 22 && minor >= 13);
    const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
    app = await project({}, hasSqlite ? [] : [`${name}@${NODE}`]);
    node = hasSqlite ? process.execPath : join(app.folder, "node_modules", name, "bin/node");
    cli = join(app.folder, "node_modules/.bin/eyot");
    eyot = await import(pathToFileURL(join(app.folder, "node_modules/eyot/dist/node.js")));
  },
  { timeout: 240_000 },
);
after(() => app?.remove());

/** A folder that is removed after the test. */
async function place(test) {
  const folder = await mkdtemp(join(tmpdir(), "eyot-relay-"));
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function relay(test, data, ...flags) {
  const args = [cli, "relay", "--region", "eu", "--data", data, "--port", "0", ...flags];
  const { child, found } = await start(node, args, { stdio: ["ignore", "pipe", "ignore"] }, /ready (ws:\/\/\S+)/);
  test.after(() => child.kill("SIGKILL"));
  return { child, url: found[1] };
}

/** What is said by a relay that does not start. */
async function refusal(...args) {
  const failed = await run(node, [cli, "relay", ...args], { timeout: 10_000 }).then(
    ({ stdout }) => assert.fail(`it starts: ${stdout}`),
    (failed) => failed,
  );
  assert.equal(failed.code, 2, failed.stderr);
  assert.equal(failed.stdout, "");
  return failed.stderr.slice(failed.stderr.indexOf("error: ")).trim();
}

async function space(test, relays, options = {}) {
  const space = await eyot.openSpace("notes", { storage: eyot.memory(), relays, ...options });
  test.after(() => space.close());
  return space;
}

const token = (claims, secret = SECRET) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("ada")
    .setExpirationTime("10m")
    .sign(new TextEncoder().encode(secret));

it("what can't be served is refused in a line", { timeout }, async (test) => {
  const folder = await place(test);
  const data = join(folder, "data");
  const flags = await refusal("--region", "eu", "--data", data, "--nonsense");
  assert.match(flags, /^error: unexpected argument '--nonsense' found\n\nUsage: eyot relay /);
  const secret = await refusal("--region", "eu", "--data", data, "--jwt-secret", "/nowhere/file");
  assert.equal(secret, "error: /nowhere/file: No such file or directory");
  const open = await refusal("--region", "eu", "--data", data, "--listen", "0.0.0.0:0");
  assert.match(open, /^error: without tokens this address is open to everybody/);
  assert.ok(!existsSync(data));
  assert.equal(
    await refusal("--region", "eu", "--data", "/dev/null/data", "--port", "0"),
    "error: /dev/null/data: Not a directory",
  );
  await mkdir(data);
  await writeFile(join(data, "relay.sqlite"), "no database, though long enough to be looked at as one ".repeat(20));
  assert.match(await refusal("--region", "eu", "--data", data, "--port", "0"), /file is not a database/);
});

it("a port and a folder serve one process", { timeout }, async (test) => {
  const folder = await place(test);
  const { url } = await relay(test, join(folder, "a"));
  const address = url.slice("ws://".length);
  const other = ["--region", "eu", "--data", join(folder, "b"), "--listen", address];
  assert.equal(await refusal(...other), `error: ${address}: Address already in use`);
  const same = ["--region", "eu", "--data", join(folder, "a"), "--port", "0"];
  assert.equal(await refusal(...same), `error: ${join(folder, "a")} is used by another process`);
});

it("nothing that was acknowledged is lost when it is killed", { timeout }, async (test) => {
  const data = await place(test);
  const first = await relay(test, data);
  const ada = await space(test, [first.url]);
  const acknowledged = [];
  const writing = (async () => {
    for (;;) {
      const note = ada.create({ text: "" });
      await note.created.durable();
      acknowledged.push(note.id);
    }
  })();
  writing.catch(() => undefined);
  while (acknowledged.length < 50) await new Promise((resolve) => ada.subscribe(resolve));
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  const kept = [...acknowledged];
  await ada.close();
  const second = await relay(test, data);
  const bob = await space(test, [second.url]);
  await bob.synced();
  const held = new Set(bob.documents().map(({ id }) => id));
  assert.deepEqual(
    kept.filter((id) => !held.has(id)),
    [],
  );
});

it("says good-bye with a code that clients understand when it is told to stop", { timeout }, async (test) => {
  const data = await place(test);
  const { child, url } = await relay(test, data);
  const ada = await space(test, [url]);
  ada.create({ text: "" });
  await ada.durable();
  const bare = new WebSocket(`${url}/v1/other`, ["eyot.v1"]);
  const said = once(bare, "message");
  await once(bare, "open");
  child.kill("SIGTERM");
  const [[code, reason], [exit]] = await Promise.all([once(bare, "close"), once(child, "exit")]);
  assert.deepEqual([code, String(reason), exit], [4009, "this relay is stopping", 0]);
  const [frame] = await said;
  assert.deepEqual([...frame.subarray(0, 7)], [0x82, 12, 0xa2, 0, 0x19, 4009 >> 8, 4009 & 0xff]);
});

it("relays of two regions give each other what they store", { timeout }, async (test) => {
  const folder = await place(test);
  const secret = join(folder, "secret");
  const peerToken = join(folder, "token");
  await writeFile(secret, SECRET);
  await writeFile(peerToken, await token({ spaces: { "*": "write" }, relay: true }));
  const flags = ["--jwt-secret", secret, "--peer-token", peerToken];
  const [port] = await freePorts(1);
  const eu = await relay(test, join(folder, "eu"), ...flags, "--peer", `us=ws://127.0.0.1:${port}`);
  const us = [
    "relay",
    "--region",
    "us",
    "--data",
    join(folder, "us"),
    "--port",
    String(port),
    "--peer",
    `eu=${eu.url}`,
  ];
  const { child } = await start(node, [cli, ...us, ...flags], { stdio: ["ignore", "pipe", "ignore"] }, /ready/);
  test.after(() => child.kill("SIGKILL"));
  const write = await token({ spaces: { notes: "write" } });
  const ada = await space(test, [`ws://127.0.0.1:${port}`], { token: write });
  const note = ada.create({ text: "far" });
  await ada.durable({ regions: 2 });
  const bob = await space(test, [eu.url], { token: write });
  assert.equal((await bob.open(note.id)).value.text, "far");
  const stranger = await space(test, [eu.url]);
  while (stranger.status.state !== "denied") await new Promise((resolve) => stranger.subscribe(resolve));
  assert.equal(stranger.status.error.message, "a token is needed");
  const listed = await (await fetch(`http://127.0.0.1:${port}/v1/regions`)).json();
  assert.deepEqual(listed[1], { region: "eu", url: eu.url });
});

it("answers requests as the native relay does", { timeout }, async (test) => {
  const { url } = await relay(test, await place(test));
  const http = url.replace("ws:", "http:");
  const ask = async (path, options) => {
    const response = await fetch(http + path, options);
    return [response.status, (await response.text()).trim()];
  };
  assert.deepEqual(await ask("/health"), [200, '{"status":"ok","region":"eu"}']);
  assert.deepEqual(await ask("/v1/regions"), [200, JSON.stringify([{ region: "eu", url }])]);
  assert.deepEqual(await ask("/nothing"), [404, "there is nothing here"]);
  assert.deepEqual(await ask("/health", { method: "POST" }), [405, "only GET is answered here"]);
  assert.deepEqual(await ask("/v1/notes"), [426, "a space is spoken to over WebSocket"]);
  assert.deepEqual(await ask(`/v1/${"a".repeat(257)}`), [400, "a space has a name of at most 256 bytes"]);
  assert.deepEqual(await ask("/health", { headers: { origin: "https://app.example" } }), [
    403,
    "this origin may not use this relay",
  ]);
  assert.equal((await ask("/health", { headers: { origin: "http://localhost:5173" } }))[0], 200);
  const [, keys] = await ask("/v1/keys");
  assert.equal(JSON.parse(keys).keys[0].crv, "Ed25519");
  const ada = await space(test, [url]);
  ada.create({ text: "" });
  await ada.durable();
  assert.match((await ask("/metrics"))[1], /^eyot_commits_total\{direction="in"\} 1$/m);
  const odd = new WebSocket(`${url}/v1/notes`, ["other"]);
  const [error] = await once(odd, "error");
  assert.match(error.message, /400/);
});

it("its store passes the tests of stores", { timeout }, async () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ["--import", "tsx", "--test", "--test-reporter=tap", "test/sqlite-store.test.ts"];
  const { stdout } = await run(node, args, { cwd: join(repository, "js"), env }).catch((failed) =>
    assert.fail(failed.stdout),
  );
  assert.match(stdout, /^# pass 1\d$/m);
  assert.match(stdout, /^# skipped 0$/m);
});

it("says what is missing where there is no SQLite", { timeout }, async (test) => {
  const flags = ["--region", "eu", "--data", join(await place(test), "data"), "--port", "0"];
  const hidden = `import { registerHooks } from "node:module";
    registerHooks({ resolve(name, context, next) {
      if (name === "node:sqlite") throw new Error("hidden");
      return next(name, context);
    } });`;
  await app.add({ "no-sqlite.mjs": hidden });
  const args = ["--import", join(app.folder, "no-sqlite.mjs"), cli, "relay", ...flags];
  const { stderr } = await run(node, args).catch((failed) => failed);
  assert.match(stderr, /use Node 22\.13 or later/);
});
