/** Browsers that are linked to each other go on when their relay is killed, and bring it everything once it is back. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import {
  findAnotherWay,
  heads,
  meet,
  newProfile,
  open,
  push,
  serveSite,
  until,
  untilStatus,
  value,
  watchWays,
} from "./site.mjs";

const timeout = 120_000;
const KEYS = 100;
const WARM_UP = 10;

let site, relay, profiles;
before(async () => (site = await serveSite()));
beforeEach(
  async () => {
    [relay, ...profiles] = await Promise.all([startRelay(), newProfile(), newProfile(), newProfile()]);
  },
  { timeout },
);
afterEach(async () => {
  await Promise.all(profiles.map((profile) => profile.remove()));
  await relay.stop();
});
after(() => site.close());

const has = (value, item) => value.list.includes(item);

async function openIn(profile, relays = [relay.url], options = {}) {
  const page = await profile.visit(site.url);
  await open(page, "direct", relays, options);
  return page;
}

const links = (page) => page.evaluate(() => space.links().map(({ to, via }) => `${to} by ${via}`));

async function areEqual(...pages) {
  const [one, ...others] = await Promise.all(pages.map(heads));
  assert.deepEqual(others, Array(others.length).fill(one));
  const [held, ...copies] = await Promise.all(pages.map(value));
  assert.deepEqual(copies, Array(copies.length).fill(held));
}

it(
  "two go on without their relay, a third joins, and the relay comes back to everything",
  { timeout },
  async (test) => {
    const openedAt = performance.now();
    const opened = profiles.slice(0, 2).map((profile) => openIn(profile, [relay.url], { peerToPeer: true }));
    const [ada, bob] = await Promise.all(opened);
    for (const page of [ada, bob]) {
      await untilStatus(page, ({ peers }) => peers === 2);
      assert.deepEqual(await links(page), ["relay by websocket", "replica by webrtc"]);
    }
    test.diagnostic(`linked ${Math.round(performance.now() - openedAt)} ms after the browsers were started`);
    await push(ada, "through the relay");
    await until(bob, has, "through the relay");

    await relay.kill();
    for (const page of [ada, bob]) await untilStatus(page, ({ peers }) => peers === 1);
    // Both write at once.
    await Promise.all([push(ada, "of Ada"), push(bob, "of Bob")]);
    await Promise.all([until(ada, has, "of Bob"), until(bob, has, "of Ada")]);
    await areEqual(ada, bob);

    // No relay has ever run for her.
    const eve = await openIn(profiles[2]);
    await meet(bob, eve);
    await until(eve, has, "through the relay");
    await push(eve, "of Eve");
    await until(ada, has, "of Eve");
    await areEqual(ada, bob, eve);
    for (const page of [ada, bob, eve]) assert.ok(await page.evaluate(() => space.status.unsent > 0));

    await relay.restart();
    await Promise.all([ada, bob, eve].map((page) => page.evaluate(() => space.durable())));
    for (const page of [ada, bob, eve]) await untilStatus(page, ({ unsent, synced }) => unsent === 0 && synced);
    await areEqual(ada, bob, eve);
    // A replica that has nothing but the relay.
    const { openSpace, memory } = await import("eyot");
    const far = await openSpace("direct", { relays: [relay.url], storage: memory() });
    try {
      await far.synced();
      const doc = await far.named("doc", { text: "", list: [] });
      assert.deepEqual({ ...doc.value }, await value(ada));
      assert.deepEqual(doc.heads, await heads(ada));
    } finally {
      await far.close();
    }
  },
);

it("a link finds another way when the network changes, and goes on without the relay", { timeout }, async () => {
  const pages = await Promise.all(profiles.slice(0, 2).map((profile) => profile.visit(site.url)));
  for (const page of pages) {
    await watchWays(page);
    await open(page, "direct", [relay.url], { peerToPeer: true });
  }
  const [ada, bob] = pages;
  for (const page of pages) await untilStatus(page, ({ peers }) => peers === 2);
  await findAnotherWay(ada, bob);
  for (const page of pages) await untilStatus(page, ({ peers }) => peers === 2);

  await relay.kill();
  await Promise.all([push(ada, "of Ada"), push(bob, "of Bob")]);
  await Promise.all([until(ada, has, "of Bob"), until(bob, has, "of Ada")]);
});

it("how long a typed character takes, beside the round trip of a bare data channel", { timeout }, async (test) => {
  const stored = await measureTyping({});
  const { key, saved, trip, write } = stored;
  test.diagnostic(
    `p50 of ${KEYS}: a typed character ${key.toFixed(1)} ms (of that until it is stored ${saved.toFixed(1)} ms), ` +
      `the bare channel's round trip ${trip.toFixed(1)} ms: ${(key / trip).toFixed(1)} times`,
  );
  // Each side stores it before it goes on: that is the least that it can take.
  const least = 2 * write + trip / 2;
  test.diagnostic(`a bare write to IndexedDB ${write.toFixed(1)} ms; two and one way are ${least.toFixed(1)} ms`);
  const inMemory = await measureTyping({ inMemory: true });
  test.diagnostic(`with memory in place of IndexedDB ${inMemory.key.toFixed(1)} ms`);
});

/** Medians in milliseconds of what it takes to type from one page to another. */
async function measureTyping(options) {
  const [ada, bob] = await Promise.all(profiles.slice(0, 2).map((profile) => openIn(profile, [], options)));
  await meet(ada, bob);
  await connectBare(ada, bob);
  await bob.evaluate(() => {
    // Answers with the time here, by which the clocks are compared.
    bare.onmessage = () => bare.send(String(performance.timeOrigin + performance.now()));
    globalThis.arrived = [];
    doc.subscribe(({ text }) => (arrived[text.length] = performance.timeOrigin + performance.now()));
  });
  const { trips, ahead } = await ada.evaluate(pingBare, KEYS + WARM_UP);
  const writes = await ada.evaluate(writeBare, KEYS + WARM_UP);
  const typed = await ada.evaluate(type, KEYS + WARM_UP);
  await until(bob, ({ text }, length) => text.length === length, KEYS + WARM_UP);
  const arrived = await bob.evaluate(() => arrived);
  const each = typed.map(({ at }, index) => arrived[index + 1] - ahead - at);
  const median = (values) => values.slice(WARM_UP).sort((a, b) => a - b)[KEYS / 2];
  const [key, trip, saved, write] = [each, trips, typed.map(({ savedMs }) => savedMs), writes].map(median);
  await Promise.all([ada.close(), bob.close()]);
  return { key, trip, saved, write };
}

/** Gives both pages a data channel of their own as `bare`. */
async function connectBare(one, other) {
  const prepare = async (offer) => {
    globalThis.connection = new RTCPeerConnection();
    globalThis.bare = connection.createDataChannel("bare", { negotiated: true, id: 0 });
    globalThis.isOpen = new Promise((resolve) => (bare.onopen = resolve));
    if (offer !== undefined) await connection.setRemoteDescription(offer);
    await connection.setLocalDescription();
    while (connection.iceGatheringState !== "complete") {
      await new Promise((resolve) => (connection.onicegatheringstatechange = resolve));
    }
    return connection.localDescription.toJSON();
  };
  const offer = await one.evaluate(prepare);
  const answer = await other.evaluate(prepare, offer);
  await one.evaluate((answer) => connection.setRemoteDescription(answer), answer);
  await Promise.all([one, other].map((page) => page.evaluate(() => isOpen)));
}

/** In the page: the round trips over the bare channel, and by how much the other page's clock is ahead. */
async function pingBare(count) {
  const now = () => performance.timeOrigin + performance.now();
  const pings = [];
  for (let ping = 0; ping < count; ping++) {
    const answered = new Promise((resolve) => (bare.onmessage = ({ data }) => resolve(Number(data))));
    const sent = now();
    bare.send("ping");
    const there = await answered;
    const trip = now() - sent;
    pings.push({ trip, ahead: there - sent - trip / 2 });
  }
  const fastest = pings.reduce((best, ping) => (ping.trip < best.trip ? ping : best));
  return { trips: pings.map(({ trip }) => trip), ahead: fastest.ahead };
}

/** In the page: how long a small record takes to be on disk. */
async function writeBare(count) {
  const opening = indexedDB.open("bare");
  opening.onupgradeneeded = () => opening.result.createObjectStore("all");
  const database = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
  const taken = [];
  for (let number = 0; number < count; number++) {
    const at = performance.now();
    const transaction = database.transaction("all", "readwrite", { durability: "strict" });
    transaction.objectStore("all").put(new Uint8Array(200), number);
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    taken.push(performance.now() - at);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  database.close();
  return taken;
}

/** In the page: types as a fast person does, and tells when, and how long it took until each character was stored. */
async function type(count) {
  const now = () => performance.timeOrigin + performance.now();
  const typed = [];
  for (let key = 0; key < count; key++) {
    const at = now();
    await doc.change((draft) => void eyot.splice(draft, ["text"], key, 0, "x")).saved;
    typed.push({ at, savedMs: now() - at });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return typed;
}
