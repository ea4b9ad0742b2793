// What an application makes of the claims of a token: `authorize` of `routeRelay`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { secretKey, sign } from "./tokens.mjs";
import { connect, greeting, world } from "./world.mjs";

const WORKER = fileURLToPath(new URL("authorizing-worker.mjs", import.meta.url));
const DENIED = 4004;
const FRAME_TOKEN = 15;

async function start(context) {
  const place = await world(context, WORKER);
  const key = secretKey();
  const relay = await place.relay({ variables: { JWT_SECRET: key.secret } });
  return {
    place,
    relay,
    token: (claims) => sign(key, { sub: "ada", team: "space", role: "editor", spaces: undefined, ...claims }),
    ban: (subject) => fetch(`${relay.url.replace("ws:", "http:")}/ban/${subject}`),
  };
}

test("what a role may do is what the application says", async (context) => {
  const { place, relay, token } = await start(context);
  const editor = await place.replica(relay, "space", { token: await token() });
  const doc = editor.create({ by: "the editor" });
  await editor.durable();
  const viewer = await place.replica(relay, "space", { token: await token({ sub: "bob", role: "viewer" }) });
  await viewer.synced();
  assert.deepEqual((await viewer.open(doc.id)).value, { by: "the editor" });
  const hers = viewer.create({ by: "the viewer" });
  await assert.rejects(hers.created.durable({ timeout: 500 }), { code: "timeout" });
  await editor.synced();
  await assert.rejects(editor.open(hers.id), { code: "not-found" });
});

test("whoever it refuses is told nothing of why, and no object is asked", async (context) => {
  const { relay, token, ban } = await start(context);
  await ban("eve");
  for (const [claims, expected] of [
    [{ sub: "eve" }, "the application does not let you in"],
    [{ sub: "nobody" }, "the application does not let you in"],
    [{ team: "others" }, "the token is not for this space"],
  ]) {
    const { closed } = await connect(relay, "space", { token: await token(claims) });
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [DENIED, expected]);
  }
  const metrics = await (await fetch(`${relay.url.replace("ws:", "http:")}/metrics`)).text();
  assert.match(metrics, /^eyot_relays_loaded_total 0$/m);
});

test("a fresh token that comes over a link is its to judge, too", async (context) => {
  const { relay, token, ban } = await start(context);
  const shown = await token();
  const { socket, closed } = await connect(relay, "space", { token: shown });
  socket.send(await greeting("space", shown));
  await once(socket, "message");
  await ban("ada");
  const bytes = new TextEncoder().encode(await token());
  socket.send(Uint8Array.of(0x82, FRAME_TOKEN, 0x79, bytes.length >> 8, bytes.length & 0xff, ...bytes));
  const { code, reason } = await closed;
  assert.deepEqual([code, reason], [DENIED, "the application does not let you in"]);
});
