/**
 * Replicas in Node that relays introduce to each other, and that go on by direct links when the relays are gone. Run
 * alone: node --test tests/interop/mesh.test.mjs
 */
import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, it } from "node:test";
import { memory, openSpace } from "eyot";
import { startRelay } from "../relay.mjs";

const timeout = 60_000;
const ends = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function relayAt(options) {
  const relay = await startRelay(options);
  ends.push(() => relay.stop());
  return relay;
}

async function newFolder() {
  const folder = await mkdtemp(join(tmpdir(), "eyot-mesh-"));
  ends.push(() => rm(folder, { recursive: true }));
  return folder;
}

async function replica(relays, options = {}) {
  const space = await openSpace("mesh", { relays, storage: memory(), peerToPeer: true, ...options });
  ends.push(() => space.close());
  const doc = await space.named("doc", { list: [] });
  return { space, doc, push: (item) => doc.change(({ list }) => list.push(item)) };
}

/** Resolves once the status is as wanted. */
function until({ space }, wanted) {
  return new Promise((resolve) => {
    const look = () => wanted(space.status, space) && (stop(), resolve());
    const stop = space.subscribe(look);
    look();
  });
}

function has({ doc }, item) {
  return new Promise((resolve) => {
    const look = ({ list }) => list.includes(item) && (stop(), resolve());
    const stop = doc.subscribe(look);
    look(doc.value);
  });
}

const direct = ({ space }) => space.links().filter(({ via }) => via === "webrtc");
const isLinked = (_, space) => space.links().some(({ via }) => via === "webrtc");

it(
  "two meet through a relay, go on when it is killed, and bring it everything once it is back",
  { timeout },
  async () => {
    const relay = await relayAt();
    const [ada, ben] = await Promise.all([replica([relay.url]), replica([relay.url])]);
    await Promise.all([until(ada, isLinked), until(ben, isLinked)]);
    await relay.kill();
    await Promise.all([ada, ben].map((one) => until(one, ({ peers }) => peers === 1)));
    ada.push("of Ada");
    ben.push("of Ben");
    await Promise.all([has(ada, "of Ben"), has(ben, "of Ada")]);
    await relay.restart();
    await Promise.all([ada.space.durable(), ben.space.durable()]);
    const late = await replica([relay.url]);
    await Promise.all([has(late, "of Ada"), has(late, "of Ben")]);
    await until(late, (_, space) => direct({ space }).length === 2);
  },
);

it("two that are linked to relays of different regions meet, and go on without both", { timeout }, async () => {
  const folder = await newFolder();
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = join(folder, "key.json");
  await writeFile(key, JSON.stringify(privateKey.export({ format: "jwk" })));
  const us = await relayAt({ region: "us", flags: ["--peer", "eu=ws://127.0.0.1:9", "--ticket-key", key] });
  const eu = await relayAt({ flags: ["--peer", `us=${us.url}`, "--ticket-key", key] });
  const [ada, ben] = await Promise.all([replica([eu.url]), replica([us.url])]);
  await Promise.all([until(ada, isLinked), until(ben, isLinked)]);
  assert.deepEqual(
    [ada, ben].map(({ space }) => space.status.relay?.region),
    ["eu", "us"],
  );
  await Promise.all([eu.kill(), us.kill()]);
  ada.push("of Ada");
  ben.push("of Ben");
  await Promise.all([has(ada, "of Ben"), has(ben, "of Ada")]);
});

it("one that may only read is linked, is sent everything, and brings nothing", { timeout }, async () => {
  const folder = await newFolder();
  const secret = "a secret that is shared with nobody";
  await writeFile(join(folder, "secret"), secret);
  const relay = await relayAt({ flags: ["--jwt-secret", join(folder, "secret")] });
  const [writer, reader, other] = await Promise.all(
    ["write", "read", "read"].map((right) => replica([relay.url], { token: token(secret, right) })),
  );
  await Promise.all([until(reader, isLinked), until(other, isLinked)]);
  await until(writer, (_, space) => direct({ space }).length === 2);
  for (const one of [writer, reader, other]) assert.ok(direct(one).every(({ right }) => right === "read"));
  await relay.kill();
  reader.push("of the reader");
  writer.push("of the writer");
  await Promise.all([has(reader, "of the writer"), has(other, "of the writer")]);
  assert.deepEqual([...writer.doc.value.list], ["of the writer"]);
  assert.deepEqual([direct(writer).length, direct(reader).length, direct(other).length], [2, 1, 1]);
});

it("without peerToPeer, or with no links wanted, nobody is told of a replica", { timeout }, async () => {
  const relay = await relayAt();
  const alone = await Promise.all(
    [undefined, false, { maxPeers: 0 }].map((peerToPeer) => replica([relay.url], { peerToPeer })),
  );
  const [ada, ben] = await Promise.all([replica([relay.url]), replica([relay.url])]);
  await Promise.all([until(ada, isLinked), until(ben, isLinked)]);
  assert.deepEqual(
    [...alone, ada, ben].map((one) => direct(one).length),
    [0, 0, 0, 1, 1],
  );
});

/** A token for everything, signed with a secret. */
function token(secret, right) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 600;
  const text = `${part({ alg: "HS256" })}.${part({ sub: right, exp, spaces: { "*": right } })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
