import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { connect, counter, greeting, recorded, speakAfterSleep, until, world } from "./world.mjs";
import { at, keyPair, secretKey, sign, signText, unsigned } from "./tokens.mjs";

const TURNING = fileURLToPath(new URL("turning-worker.mjs", import.meta.url));
const DENIED = 4004;
const GOING_AWAY = 4009;
const EXPIRED = 4010;
/** How long a slow server of keys takes. */
const SLOW_MS = 1_000;
const HOUR_MS = 3_600_000;
/** Longer than a relay stays awake for what is due. */
const ASLEEP_MS = 25_000;
const FRAME_HELLO = 1;
const FRAME_TOKEN = 15;
const FRAME_TERMS = 16;

let ed;
let es;
let stranger;
const shared = secretKey();
before(async () => {
  [ed, es, stranger] = await Promise.all([keyPair("EdDSA", "one"), keyPair("ES256", "two"), keyPair("EdDSA", "one")]);
});

/** The variables of a relay that knows the public keys. */
const withKeys = () => ({ JWT_KEYS: JSON.stringify([ed.jwk, es.jwk]) });

test("each bad token is refused with its code and a reason that tells nothing of it", async (context) => {
  const place = await world(context);
  const relay = await place.relay({ variables: withKeys() });
  const text = (value) => new TextEncoder().encode(value);
  const cases = [
    ["none", undefined, DENIED, /a token is needed/],
    ["no token at all", "hello", DENIED, /malformed/],
    ["an expired one", await sign(ed, { exp: at(-HOUR_MS) }), EXPIRED, /expired/],
    ["an expired one of a stranger", await sign(stranger, { exp: at(-HOUR_MS) }), DENIED, /not signed by a key/],
    ["one that is not valid yet", await sign(ed, { nbf: at(HOUR_MS) }), DENIED, /not valid yet/],
    ["one without an expiry", await sign(ed, { exp: undefined }), DENIED, /no time of expiry/],
    ["one with an empty subject", await sign(ed, { sub: "" }), DENIED, /no subject/],
    ["one whose relay is no boolean", await sign(ed, { relay: "true" }), DENIED, /malformed/],
    [
      "one that says a claim twice",
      await signText(ed, (text) => text.replace("{", '{"exp":9999999999,')),
      DENIED,
      /malformed/,
    ],
    ["one without a subject", await sign(ed, { sub: undefined }), DENIED, /no subject/],
    ["one that must be understood", await sign({ ...ed, crit: ["x"] }), DENIED, /not understood/],
    ["one without spaces", await sign(ed, { spaces: undefined }), DENIED, /no spaces/],
    ["one with an unknown right", await sign(ed, { spaces: { space: "own" } }), DENIED, /neither read nor write/],
    ["one for another space", await sign(ed, { spaces: { spaces: "write" } }), DENIED, /not for this space/],
    ["one of a stranger's key", await sign(stranger), DENIED, /not signed by a key/],
    ["one of a key with an unknown id", await sign({ ...ed, kid: "three" }), DENIED, /not signed by a key/],
    ["one of one key that names another", await sign({ ...ed, kid: "two" }), DENIED, /not signed by a key/],
    ["one whose algorithm is none", unsigned({ alg: "none" }), DENIED, /algorithm/],
    ["one whose signature is left out", unsigned({ alg: "EdDSA", kid: "one" }), DENIED, /not signed by a key/],
    [
      "one signed with a public key as the secret",
      await sign({ alg: "HS256", key: text(JSON.stringify(ed.jwk)) }),
      DENIED,
      /algorithm/,
    ],
    [
      "one signed with that key's bytes",
      await sign({ alg: "HS256", kid: "one", key: text(ed.jwk.x) }),
      DENIED,
      /algor/,
    ],
  ];
  for (const [name, token, code, reason] of cases) {
    await context.test(name, async () => {
      const { closed } = await connect(relay, "space", { token });
      const close = await closed;
      assert.equal(close.code, code, close.reason);
      assert.match(close.reason, reason);
      for (const part of token?.split(".") ?? []) assert(part === "" || !close.reason.includes(part));
    });
  }
});

test("a good token of each algorithm lets in, by its space's name or a prefix of it", async (context) => {
  const place = await world(context);
  const [keys, secret] = [
    await place.relay({ variables: withKeys() }),
    await place.relay({ variables: { JWT_SECRET: shared.secret }, data: `${place.data}/secret` }),
  ];
  const cases = [
    [keys, await sign(ed)],
    [keys, await sign(es)],
    [keys, await sign({ ...es, kid: undefined })],
    [keys, await sign(ed, { spaces: { "sp*": "write" } })],
    [secret, await sign(shared)],
  ];
  for (const [relay, token] of cases) {
    const replica = await place.replica(relay, "space", { token });
    replica.create({ written: true });
    await replica.durable();
    await replica.close();
  }
});

test("a token that let in to one space does not to another", async (context) => {
  const relay = await (await world(context)).relay({ variables: withKeys() });
  const { closed } = await connect(relay, "elsewhere", { token: await sign(ed) });
  const { code, reason } = await closed;
  assert.equal(code, DENIED);
  assert.match(reason, /not for this space/);
});

test("a reader gets what is written, and is refused when it writes", async (context) => {
  const place = await world(context);
  const relay = await place.relay({ variables: withKeys() });
  const read = await sign(ed, { spaces: { space: "read" } });
  const frames = await recorded(place, "space");

  const [writer, reader] = await Promise.all([
    place.replica(relay, "space", { token: await sign(es) }),
    place.replica(relay, "space", { token: read }),
  ]);
  const [written, seen] = await Promise.all([writer, reader].map((space) => space.named("note", { count: 0 })));
  written.change((draft) => {
    draft.count = 1;
  });
  await until(seen, () => seen.value.count === 1, "what was written");

  const { socket, closed } = await connect(relay, "space", { token: read });
  socket.send(await greeting("space", read));
  for (const frame of frames) socket.send(frame);
  const { code, reason } = await closed;
  assert.equal(code, DENIED);
  assert.match(reason, /does not allow writing/);
});

test("a link ends when its token does, unless a fresh one came over it", async (context) => {
  const relay = await (await world(context)).relay({ variables: withKeys() });
  const soon = await sign(ed, { exp: at(2_000) });
  const [ends, goesOn, refused] = await Promise.all([1, 2, 3].map(() => connect(relay, "space", { token: soon })));
  for (const { socket } of [ends, goesOn, refused]) socket.send(await greeting("space", soon));
  goesOn.socket.send(tokenFrame(await sign(ed)));
  refused.socket.send(tokenFrame(await sign(stranger)));

  assert.equal((await refused.closed).code, DENIED);
  const { code, reason } = await ends.closed;
  assert.equal(code, EXPIRED);
  assert.match(reason, /expired/);
  assert.equal(goesOn.socket.readyState, goesOn.socket.OPEN);
});

test("a link ends when its token does, though nobody has spoken for long", async (context) => {
  const relay = await (await world(context)).relay({ variables: withKeys() });
  const token = await sign(ed, { exp: at(ASLEEP_MS) });
  const { socket, closed } = await connect(relay, "space", { token });
  socket.send(await greeting("space", token));
  assert.equal((await closed).code, EXPIRED);
});

test("a relay that gets keys closes to those who came when it was open", async (context) => {
  const place = await world(context);
  const open = await place.relay();
  const replica = await place.replica(open);
  replica.create({});
  await replica.durable();
  await open.stop();
  await place.relay({ port: open.port, variables: withKeys() });
  await until(replica, () => replica.status.error?.code === "denied", "the refusal");
});

test("an object takes what the Worker says now, and goes on with the links it has", async (context) => {
  const place = await world(context, TURNING);
  const relay = await place.relay();
  const replica = await place.replica(relay);
  replica.create({});
  await replica.durable();

  await fetch(`${relay.url.replace("ws:", "http:")}/close/${shared.secret}`);
  const token = await sign(shared);
  const [none, good] = [await connect(relay), await connect(relay, "space", { token })];
  good.socket.send(await greeting("space", token));
  assert.match((await none.closed).reason, /a token is needed/);
  replica.create({});
  await replica.durable();
  assert.equal(good.socket.readyState, good.socket.OPEN);
  assert.equal(await counter(relay, "eyot_connections_accepted_total"), 3);
  assert.equal(await counter(relay, "eyot_relays_loaded_total"), 1);
});

test("keys are fetched from a URL, again when a token names an unknown one, and without them nobody comes in", async (context) => {
  const place = await world(context);
  let [list, fetches] = [undefined, 0];
  const JWT_KEYS = await keyServer(context, (response) => {
    fetches += 1;
    if (list === undefined) response.writeHead(500).end();
    else response.end(JSON.stringify({ keys: list }));
  });
  const relay = await place.relay({ variables: { JWT_KEYS } });
  const verdict = async (token) => {
    const { socket, closed } = await connect(relay, "space", { token });
    const refused = closed.then(({ reason }) => reason);
    const letIn = once(socket, "message").then(([[, kind]]) => (kind === FRAME_HELLO ? "let in" : refused));
    socket.send(await greeting("space", token));
    return Promise.race([letIn, refused]).finally(() => socket.terminate());
  };
  const eventually = async (token) => {
    while ((await verdict(token)) !== "let in");
  };

  const known = await sign(ed);
  assert.match(await verdict(known), /can't get its keys/);
  const forOthers = [
    { ...es.jwk, use: "enc" },
    { kty: "oct", k: "c2VjcmV0", kid: "public" },
    { kty: "RSA", n: "n", e: "e" },
  ];
  list = [ed.jwk, ...forOthers];
  assert.match(await verdict(known), /can't get its keys/);
  assert.equal(fetches, 1);
  await eventually(known);
  assert.equal(fetches, 2);

  const unknown = await sign(es);
  assert.match(await verdict(unknown), /algorithm/);
  list = [es.jwk];
  await eventually(unknown);
  assert.equal(fetches, 3);

  list = undefined;
  assert.match(await verdict(known), /not accepted|not signed/);
  await eventually(unknown);
});

test("whoever comes while the keys are being fetched waits for them, and one fetch does for all", async (context) => {
  const place = await world(context);
  let fetches = 0;
  const JWT_KEYS = await keyServer(context, (response) => {
    fetches += 1;
    setTimeout(() => response.end(JSON.stringify({ keys: [ed.jwk] })), SLOW_MS);
  });
  const relay = await place.relay({ variables: { JWT_KEYS } });
  const token = await sign(ed);
  const hello = await greeting("space", token);
  const verdicts = Array.from({ length: 20 }, async () => {
    const { socket, closed } = await connect(relay, "space", { token });
    const heard = once(socket, "message").then(([[, kind]]) => kind);
    socket.send(hello);
    return Promise.race([heard, closed.then(({ reason }) => reason)]);
  });
  assert.deepEqual(new Set(await Promise.all(verdicts)), new Set([FRAME_HELLO]));
  assert.equal(fetches, 1);
});

test("while the keys can't be fetched, whoever comes is told to come again", async (context) => {
  const JWT_KEYS = await keyServer(context, (response) => response.writeHead(500).end());
  const relay = await (await world(context)).relay({ variables: { JWT_KEYS } });
  const { closed } = await connect(relay, "space", { token: await sign(ed) });
  const { code, reason } = await closed;
  assert.equal(code, GOING_AWAY);
  assert.match(reason, /can't get its keys; try again/);
});

test("bad tokens for a thousand spaces leave nothing behind, and make no object", async (context) => {
  const place = await world(context);
  const relay = await place.relay({ variables: withKeys() });
  const tokens = [undefined, "hello", await sign(stranger), await sign(ed)];
  for (let first = 0; first < 1_000; first += 50) {
    const comers = Array.from({ length: 50 }, async (_, index) => {
      const token = tokens[index % tokens.length];
      const { closed } = await connect(relay, crypto.randomUUID(), { token });
      assert.equal((await closed).code, DENIED);
    });
    await Promise.all(comers);
  }
  // `workerd` makes its list of objects when it starts.
  const ofObjects = (await filesBelow(place.data)).filter((file) => !basename(file).startsWith("metadata."));
  assert.deepEqual(ofObjects, []);
  assert.equal(await counter(relay, "eyot_relays_loaded_total"), 0);
  assert.equal(await counter(relay, 'eyot_connections_closed_total{code="4004",reason="denied"}'), 1_000);
});

test("an object stores no keys and no tokens", async (context) => {
  const place = await world(context);
  const token = await sign(shared);
  const relay = await place.relay({ variables: { JWT_SECRET: shared.secret, PEER_TOKEN: "eyJ.peer-token" } });
  const replica = await place.replica(relay, "space", { token });
  replica.create({ written: true });
  await replica.durable();
  await relay.stop();
  const files = await filesBelow(place.data);
  assert.notEqual(files.length, 0);
  const bytes = Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
  for (const secret of [shared.secret, "eyJ.peer-token", token, token.split(".")[2]]) {
    assert.equal(bytes.includes(secret), false, secret);
  }
});

test("a token that comes over a link is judged by the keys of now, also when the object has slept", async (context) => {
  const place = await world(context, TURNING);
  const relay = await place.relay();
  const turn = ({ secret }) => fetch(`${relay.url.replace("ws:", "http:")}/close/${secret}`);
  const [old, fresh] = [secretKey(), secretKey()];
  await turn(old);
  const soon = await sign(old, { exp: at(HOUR_MS) });
  const come = async () => {
    const link = await connect(relay, "space", { token: soon });
    link.socket.send(await greeting("space", soon));
    await once(link.socket, "message");
    return link;
  };
  const [revoked, renewed] = [await come(), await come()];
  await turn(fresh);
  await speakAfterSleep(relay, async () => {
    revoked.socket.send(tokenFrame(await sign(old)));
    const { code, reason } = await revoked.closed;
    assert.equal(code, DENIED);
    assert.match(reason, /not signed by a key/);
  });
  renewed.socket.send(tokenFrame(await sign(fresh)));
  const [[, kind]] = await once(renewed.socket, "message");
  assert.equal(kind, FRAME_TERMS);
});

/** A server of keys; `answer` gets each response. */
async function keyServer(context, answer) {
  const server = createServer((_, response) => answer(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

/** All files below a folder. */
async function filesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function tokenFrame(token) {
  const bytes = new TextEncoder().encode(token);
  return Uint8Array.of(0x82, FRAME_TOKEN, 0x79, bytes.length >> 8, bytes.length & 0xff, ...bytes);
}
