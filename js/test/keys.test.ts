// The keys that a Worker fetches: when it asks for them again, and what it does while it can't have them.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { type Key, keysOf, NoKeys } from "../src/access/keys.js";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const POINT = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

let server: () => Response | Promise<Response>;
let fetches = 0;
let lists = 0;
mock.method(globalThis, "fetch", () => {
  fetches += 1;
  return Promise.resolve(server());
});
mock.method(console, "error", () => {});

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_790_000_000_000 });
  fetches = 0;
  lists += 1;
});

const named = (kid: string) => () => Response.json({ keys: [{ kty: "OKP", crv: "Ed25519", x: POINT, kid }] });
const failing = () => new Response("no", { status: 500 });
/** Each test has an address of its own, because lists are kept for as long as the isolate lives. */
const ask = (unknown = false): Promise<readonly Key[]> =>
  keysOf({ jwks: `https://keys.example/${String(lists)}` }, unknown);
const ids = async (keys: Promise<readonly Key[]>) => (await keys).map(({ id }) => id);

test("a list is used for ten minutes and then fetched again", async () => {
  server = named("one");
  assert.deepEqual(await ids(ask()), ["one"]);
  server = named("two");
  mock.timers.tick(9 * MINUTE_MS);
  assert.deepEqual(await ids(ask()), ["one"]);
  mock.timers.tick(2 * MINUTE_MS);
  assert.deepEqual(await ids(ask()), ["two"]);
  assert.equal(fetches, 2);
});

test("a list that can't be fetched again is used for a day, and tried at most every five seconds", async () => {
  server = named("one");
  await ask();
  server = failing;
  mock.timers.tick(DAY_MS - MINUTE_MS);
  assert.deepEqual(await ids(ask()), ["one"]);
  assert.deepEqual(await ids(ask()), ["one"]);
  assert.equal(fetches, 2);
  mock.timers.tick(2 * MINUTE_MS);
  await assert.rejects(ask(), NoKeys);
  await assert.rejects(ask(), NoKeys);
  assert.equal(fetches, 3);
});

test("an unknown key has the list fetched again, at most every five seconds, and harms no known one", async () => {
  server = named("one");
  await ask();
  server = failing;
  mock.timers.tick(6_000);
  assert.deepEqual(await ids(ask(true)), ["one"]);
  assert.deepEqual(await ids(ask(true)), ["one"]);
  assert.equal(fetches, 2);
  server = named("two");
  mock.timers.tick(6_000);
  assert.deepEqual(await ids(ask(true)), ["two"]);
});

test("a fetch that ended with its request, unnoticed, is made again by the next", async () => {
  server = () => new Promise(() => {});
  void ask();
  const waiting = ask();
  server = named("one");
  for (let ms = 0; ms < 6_000; ms += 20) {
    mock.timers.tick(20);
    await Promise.resolve();
  }
  assert.deepEqual(await ids(waiting), ["one"]);
  assert.equal(fetches, 2);
});

test("what a list has beside usable public keys is left out", async () => {
  const others = [null, 42, { kty: "oct", k: POINT, kid: "public" }, { kty: "OKP", crv: "Ed25519", kid: "none" }];
  server = () => Response.json({ keys: [...others, { kty: "OKP", crv: "Ed25519", x: POINT, kid: "one" }] });
  assert.deepEqual(await ids(ask()), ["one"]);
});

test("what is no list is not taken for one", async () => {
  for (const body of ["", "null", "[]", "{}", '{"keys":{}}']) {
    lists += 1;
    server = () => new Response(body);
    await assert.rejects(ask(), NoKeys, body);
  }
});
