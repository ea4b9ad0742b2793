import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { connect, counter, eventually, greeting, inRegions, speakAfterSleep, until, world } from "./world.mjs";
import { keyPair, sign } from "./tokens.mjs";

const THREE = ["eu", "us", "ap"];
const TWO = ["eu", "us"];
const DENIED = 4004;
const WRITERS = 6;
const WAIT = { timeout: 60_000 };

test("what is written in one region is read in all, and acknowledged by each", async (context) => {
  const place = await world(context);
  const relays = await Promise.all((await inRegions(place, THREE)).map(({ start }) => start()));
  const replicas = await Promise.all(relays.map((relay) => place.replica(relay)));
  await everybodyWrites(replicas);
  assert.deepEqual(replicas[0].status.behind, { eu: 0, us: 0, ap: 0 });
  const regions = await (await fetch(`${relays[0].url.replace("ws:", "http:")}/v1/regions`)).json();
  assert.deepEqual(
    regions.sort((a, b) => (a.url < b.url ? -1 : 1)),
    [
      { region: "eu", url: relays[0].url },
      { region: "us", url: relays[1].url },
      { region: "ap", url: relays[2].url },
    ].sort((a, b) => (a.url < b.url ? -1 : 1)),
  );
});

test("objects of several regions in one deployment link to each other, with keys too", async (context) => {
  const place = await world(context);
  const key = await keyPair("EdDSA", "one");
  const variables = { REGIONS: "weur enam apac", REGION: "enam", JWT_KEYS: JSON.stringify(key.jwk) };
  const relay = await place.relay({ variables });
  const directory = await (await fetch(`${relay.url.replace("ws:", "http:")}/v1/regions`)).json();
  assert.deepEqual(
    directory.map(({ region }) => region),
    ["weur", "enam", "apac"],
  );
  const token = await sign(key);
  const replicas = await Promise.all(directory.map(({ url }) => place.replica({ url }, "space", { token })));
  await everybodyWrites(replicas);
  assert.deepEqual(replicas[0].status.behind, { weur: 0, enam: 0, apac: 0 });
});

test("objects that are bound by another name, within a jurisdiction, find each other there", async (context) => {
  const place = await world(context, fileURLToPath(new URL("./placed-worker.mjs", import.meta.url)));
  const relay = await place.relay();
  const base = relay.url.replace("ws:", "http:");
  const directory = await (await fetch(`${base}/v1/regions`)).json();
  assert.deepEqual(
    directory.map(({ region }) => region),
    ["weur", "eeur"],
  );
  await everybodyWrites(await Promise.all(directory.map(({ url }) => place.replica({ url }))));
  assert.deepEqual(await (await fetch(`${base}/asked`)).json(), ["eu"]);
});

test("what an object is told is not believed from outside", async (context) => {
  const place = await world(context);
  const key = await keyPair("EdDSA", "one");
  const relay = await place.relay({ variables: { JWT_KEYS: JSON.stringify(key.jwk) } });
  const setup = { space: "space", region: "eu", keys: "open", peers: [] };
  const told = encodeURIComponent(JSON.stringify({ setup, from: "us" }));
  const { socket, closed } = await connect(relay, "space", { "x-eyot-secret": told });
  socket.send(await greeting("space"));
  const { code, reason } = await closed;
  assert.equal(code, DENIED);
  assert.match(reason, /a token is needed/);
});

test("relays let each other in by a token that says that they are relays", async (context) => {
  const place = await world(context);
  const key = await keyPair("ES256", "one");
  const JWT_KEYS = JSON.stringify([key.jwk]);
  const peerToken = await sign(key, { sub: "relays", relay: true, spaces: { "*": "write" } });
  const token = await sign(key);

  const good = await Promise.all(
    (await inRegions(place, THREE, { JWT_KEYS, PEER_TOKEN: peerToken })).map(({ start }) => start()),
  );
  await everybodyWrites(await Promise.all(good.map((relay) => place.replica(relay, "space", { token }))));

  const [eu, us] = await inRegions({ ...place, data: `${place.data}/strangers` }, TWO, { JWT_KEYS, PEER_TOKEN: token });
  const strangers = [await eu.start(), await us.start()];
  const replica = await place.replica(strangers[0], "space", { token });
  replica.create({});
  await replica.durable();
  const refused = () => counter(strangers[1], 'eyot_connections_closed_total{code="4004",reason="denied"}');
  await eventually(async () => (await refused()) > 0, "a refusal");
  assert.equal(await counter(strangers[1], 'eyot_commits_total{direction="in"}'), 0);
});

test("an idle relay lets go of the other regions, sleeps, and is woken by what they bring", async (context) => {
  const place = await world(context);
  const [eu, us] = await Promise.all((await inRegions(place, TWO)).map(({ start }) => start()));
  const left = await place.replica(eu);
  const written = await left.named("note", { count: 0 });
  written.change((draft) => {
    draft.count = 1;
  });
  await left.synced();
  await left.durable({ regions: 2, ...WAIT });
  const right = await place.replica(us);
  const seen = await right.named("note", { count: 0 });
  await until(seen, () => seen.value.count === 1, "the first change");

  const links = async (event) => {
    const counts = await Promise.all(
      [eu, us].map((relay) => counter(relay, `eyot_region_links_total{event="${event}"}`)),
    );
    return counts[0] + counts[1];
  };
  await eventually(async () => (await links("opened")) === (await links("closed")), "the end of the link");
  await speakAfterSleep(us, async () => {
    written.change((draft) => {
      draft.count = 2;
    });
    await until(seen, () => seen.value.count === 2, "the change after the sleep");
  });
});

test("what another region could not be told is told it by an alarm, though nobody speaks any more", async (context) => {
  const place = await world(context);
  const [eu, us] = await inRegions(place, TWO);
  const alone = await eu.start();
  const replica = await place.replica(alone);
  replica.create({ written: true });
  await replica.durable();
  await replica.close();
  await alone.stop();

  const other = await us.start();
  await eu.start();
  await eventually(async () => (await counter(other, 'eyot_commits_total{direction="in"}')) === 1, "the commit");
});

test("regions are killed and wiped in turn while all write: nothing acknowledged is lost, all end equal", async (context) => {
  const place = await world(context);
  const regions = await inRegions(place, THREE);
  const relays = await Promise.all(regions.map(({ start }) => start()));
  const urls = relays.map(({ url }) => url);
  const acknowledged = [new Set(), new Set()];
  let isOver = false;
  let made = 0;
  const write = async (writer) => {
    const near = writer % 3;
    const replica = await place.replica(relays[near], "space", {
      relays: [...urls.slice(near), ...urls.slice(0, near)],
    });
    const doc = await replica.named("written", {});
    for (let number = 0; !isOver; number++) {
      const key = `${writer}:${number}`;
      const commit = doc.change((draft) => {
        draft[key] = true;
      });
      made += 1;
      const [one] = [1, 2].map((regions) =>
        commit.durable({ regions, ...WAIT }).then(() => acknowledged[regions - 1].add(key)),
      );
      await one;
    }
    await replica.durable({ regions: 3, ...WAIT });
    return replica;
  };
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));

  for (const [index, region] of regions.entries()) {
    await grow(acknowledged[1], 20);
    await relays[index].stop();
    if (index === 1) await rm(region.data, { recursive: true });
    await grow(acknowledged[1], 50);
    relays[index] = await region.start();
  }
  await grow(acknowledged[1], 20);
  isOver = true;
  const replicas = await writers;
  await Promise.all(replicas.map((replica) => replica.close()));

  for (const relay of relays) {
    const witness = await place.replica(relay);
    await witness.synced(WAIT);
    const seen = Object.keys((await witness.named("written", {})).value);
    for (const [level, keys] of acknowledged.entries()) {
      const lost = [...keys].filter((key) => !seen.includes(key));
      assert.deepEqual(lost, [], `lost of what was acknowledged at ${level + 1}`);
    }
    assert.equal(seen.length, made);
  }
});

/** Each replica writes, all see it, and all three regions have it. */
async function everybodyWrites(replicas) {
  const docs = await Promise.all(replicas.map((replica) => replica.named("list", {})));
  docs.forEach((doc, index) => {
    doc.change((draft) => {
      draft[index] = true;
    });
  });
  const hasAll = (doc) => Object.keys(doc.value).length === docs.length;
  await Promise.all(docs.map((doc) => until(doc, () => hasAll(doc), "everybody's change")));
  await Promise.all(replicas.map((replica) => replica.durable({ regions: replicas.length, ...WAIT })));
}

/** Waits until so many more are in it. */
async function grow(set, count) {
  const goal = set.size + count;
  while (set.size < goal) await new Promise((resolve) => setImmediate(resolve));
}
