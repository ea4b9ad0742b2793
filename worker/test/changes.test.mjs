// What servers are told of what is stored: `GET /v1/SPACE/changes`.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { at, secretKey, sign } from "./tokens.mjs";
import { counter, world } from "./world.mjs";

async function changes(relay, query = "", token, space = "space") {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${relay.url.replace("ws:", "http:")}/v1/${space}/changes${query}`, { headers });
  return { status: answer.status, headers: answer.headers, ...(await answer.json()) };
}

const documentsOf = ({ changes }) => changes.flatMap(({ items }) => items.map(({ document }) => document));

test("a server reads what is stored page by page, also after a restart, and a relay need not run for it", async (context) => {
  const place = await world(context);
  const key = secretKey();
  const variables = { JWT_SECRET: key.secret };
  const relay = await place.relay({ variables });
  const reader = await sign(key, { sub: "indexer", spaces: { "sp*": "read" } });
  const writer = await place.replica(relay, "space", { token: await sign(key) });
  const urls = [1, 2, 3].map((n) => writer.create({ n }).url);
  await writer.durable();
  const first = await changes(relay, "?limit=2", reader);
  assert.equal(first.status, 200);
  assert.deepEqual([documentsOf(first), first.more], [urls.slice(0, 2), true]);
  assert.deepEqual(first.changes[0].items[0].state, "held");
  assert.equal(first.headers.get("cache-control"), "no-store");
  await writer.close();
  await relay.stop();
  const again = await place.relay({ variables });
  const second = await changes(again, `?after=${first.next}`, reader);
  assert.deepEqual([documentsOf(second), second.more, second.log], [urls.slice(2), false, first.log]);
  assert.deepEqual((await changes(again, `?after=${second.next}`, reader)).changes, []);
  assert.equal(await counter(again, "eyot_relays_loaded_total"), 0);
});

test("a position of another log is told by a code, and so is every mistake", async (context) => {
  const place = await world(context);
  const key = secretKey();
  const relay = await place.relay({ variables: { JWT_SECRET: key.secret } });
  const all = await sign(key, { spaces: { "*": "write" } });
  const nexts = [];
  for (const space of ["one", "two"]) {
    const replica = await place.replica(relay, space, { token: all });
    replica.create({ space });
    await replica.durable();
    nexts.push((await changes(relay, "", all, space)).next);
  }
  const other = await changes(relay, `?after=${nexts[0]}`, all, "two");
  assert.deepEqual([other.status, other.code], [410, "other-log"]);
  for (const [query, token, status, code] of [
    ["", undefined, 401, "denied"],
    ["", "nonsense", 401, "denied"],
    ["", await sign(key, { exp: at(-60_000) }), 401, "expired"],
    ["", await sign(key, { spaces: { other: "write" } }), 401, "denied"],
    ["?after=", all, 400, "invalid"],
    ["?after=nonsense", all, 400, "invalid"],
    ["?limit=0", all, 400, "invalid"],
    ["?limit=1001", all, 400, "invalid"],
    ["?since=1", all, 400, "invalid"],
  ]) {
    const refused = await changes(relay, query, token, "one");
    assert.deepEqual([refused.status, refused.code], [status, code], query);
  }
});

test("asking for spaces that nobody has written to stores nothing", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  for (let number = 0; number < 20; number += 1) {
    const page = await changes(relay, "", undefined, `none-${number}`);
    assert.deepEqual([page.status, page.log, page.changes, page.more], [200, null, [], false]);
  }
  const writer = await place.replica(relay, "some");
  writer.create({ n: 1 });
  await writer.durable();
  await writer.close();
  await relay.stop();
  const names = (await readdir(place.data, { recursive: true })).filter((name) => /\.sqlite(-wal)?$/.test(name));
  const files = await Promise.all(names.map((name) => readFile(join(place.data, name), "latin1")));
  // An object that is asked has a file, which holds nothing: the one with rows is that of the space with a commit.
  const tables = names.filter((_, at) => files[at].includes("TABLE kv"));
  assert.equal(new Set(tables.map((name) => name.replace(/-wal$/, ""))).size, 1);
});
