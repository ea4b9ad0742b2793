// Tokens that are taken back before they expire: `revoke`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { at, secretKey, sign } from "./tokens.mjs";
import { connect, greeting, speakAfterSleep, world } from "./world.mjs";

const WORKER = fileURLToPath(new URL("revoking-worker.mjs", import.meta.url));
const EXPIRED = 4010;
const REVOKED = "the token was revoked";

async function start(context) {
  const place = await world(context, WORKER);
  const key = secretKey();
  const token = (sub, iat = at(-10_000)) => sign(key, iat === null ? { sub } : { sub, iat });
  return {
    place,
    token,
    relay: () => place.relay({ variables: { JWT_SECRET: key.secret } }),
    revoke: async (relay, subject) => {
      const answer = await fetch(`${relay.url.replace("ws:", "http:")}/revoke/${subject}`);
      assert.equal(await answer.text(), "done");
    },
  };
}

/** A link that is up. */
async function linked(relay, token, region = "eu") {
  const { socket, closed } = await connect({ url: `${relay.url}/at/${region}` }, "space", { token });
  socket.send(await greeting("space", token));
  await once(socket, "message");
  return { socket, closed };
}

test("links of a revoked subject end in every region, and others stay", async (context) => {
  const { token, relay: serve, revoke, place } = await start(context);
  const relay = await serve();
  const links = [await linked(relay, await token("ada")), await linked(relay, await token("ada"), "us")];
  const ben = await place.replica({ url: `${relay.url}/at/eu` }, "space", { token: await token("ben") });
  await ben.synced();
  await revoke(relay, "ada");
  for (const { closed } of links) assert.deepEqual(await closed, { code: EXPIRED, reason: REVOKED });
  ben.create({ still: "here" });
  await ben.durable();
  assert.equal(ben.status.error, undefined);
});

test("a link that slept ends too", async (context) => {
  const { token, relay: serve, revoke } = await start(context);
  const relay = await serve();
  const { closed } = await linked(relay, await token("ada"));
  await speakAfterSleep({ url: `${relay.url}/at/eu` }, async () => {
    await revoke(relay, "ada");
    assert.deepEqual(await closed, { code: EXPIRED, reason: REVOKED });
  });
});

test("what is revoked is refused after a restart too, and a later token counts", async (context) => {
  const { token, relay: serve, revoke } = await start(context);
  const first = await serve();
  await revoke(first, "ada");
  await first.stop();
  const relay = await serve();
  for (const iat of [at(-10_000), undefined]) {
    const shown = iat === undefined ? await token("ada", null) : await token("ada", iat);
    const { socket, closed } = await connect({ url: `${relay.url}/at/eu` }, "space", { token: shown });
    socket.send(await greeting("space", shown));
    assert.deepEqual(await closed, { code: EXPIRED, reason: REVOKED });
    const page = await fetch(`${relay.url.replace("ws:", "http:")}/at/eu/v1/space/changes`, {
      headers: { authorization: `Bearer ${shown}` },
    });
    assert.deepEqual([page.status, (await page.json()).code], [401, "expired"]);
  }
  const { socket } = await linked(relay, await token("ada", at(60_000)));
  socket.terminate();
});
