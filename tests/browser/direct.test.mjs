/** Browsers that are linked to each other go on when their relay is killed, and bring it everything once it is back. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { heads, meet, newProfile, open, push, serveSite, until, untilStatus, value } from "./site.mjs";

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

it("two go on without their relay, a third joins, and the relay comes back to everything", { timeout }, async () => {
  const [ada, bob] = await Promise.all(profiles.slice(0, 2).map((profile) => openIn(profile)));
  await push(ada, "through the relay");
  await until(bob, has, "through the relay");
  await meet(ada, bob);
  for (const page of [ada, bob]) {
    await untilStatus(page, ({ peers, state }) => peers === 2 && state === "live");
    assert.deepEqual(await links(page), ["relay by websocket", "replica by webrtc"]);
  }

  await relay.kill();
  for (const page of [ada, bob]) await untilStatus(page, ({ peers }) => peers === 1);
  // Both write at once.
  await Promise.all([push(ada, "of Ada"), push(bob, "of Bob")]);
  await Promise.all([until(ada, has, "of Bob"), until(bob, has, "of Ada")]);
  await areEqual(ada, bob);

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
});

it("two that want direct links meet through the relay and go on when it is killed", { timeout }, async (test) => {
  const openedAt = performance.now();
  const all = profiles.slice(0, 2).map((profile) => openIn(profile, [relay.url], { peerToPeer: true }));
  const [ada, bob] = await Promise.all(all);
  for (const page of [ada, bob]) {
    await untilStatus(page, ({ peers }) => peers === 2);
    assert.deepEqual(await links(page), ["relay by websocket", "replica by webrtc"]);
  }
  test.diagnostic(`linked ${Math.round(performance.now() - openedAt)} ms after the browsers were started`);

  await relay.kill();
  await Promise.all([push(ada, "of Ada"), push(bob, "of Bob")]);
  await Promise.all([until(ada, has, "of Bob"), until(bob, has, "of Ada")]);
  await areEqual(ada, bob);
  for (const page of [ada, bob]) await untilStatus(page, ({ peers, state }) => peers === 1 && state !== "live");

  await relay.restart();
  await Promise.all([ada, bob].map((page) => page.evaluate(() => space.durable())));
  await areEqual(ada, bob);
});

it("how long a typed character takes, beside the round trip of a bare data channel", { timeout }, async (test) => {
  const [ada, bob] = await Promise.all(profiles.slice(0, 2).map((profile) => openIn(profile, [])));
  await meet(ada, bob);
  await connectBare(ada, bob);
  await bob.evaluate(() => {
    // Answers with the time here, by which the clocks are compared.
    bare.onmessage = () => bare.send(String(performance.timeOrigin + performance.now()));
    globalThis.arrived = [];
    doc.subscribe(({ text }) => (arrived[text.length] = performance.timeOrigin + performance.now()));
  });
  const { trips, ahead } = await ada.evaluate(pingBare, KEYS + WARM_UP);
  const typed = await ada.evaluate(type, KEYS + WARM_UP);
  await until(bob, ({ text }, length) => text.length === length, KEYS + WARM_UP);
  const arrived = await bob.evaluate(() => arrived);
  const each = typed.map(({ at }, index) => arrived[index + 1] - ahead - at);
  const median = (values) => values.slice(WARM_UP).sort((a, b) => a - b)[KEYS / 2];
  const [key, trip, saved] = [each, trips, typed.map(({ savedMs }) => savedMs)].map(median);
  test.diagnostic(
    `p50 of ${KEYS}: a typed character ${key.toFixed(1)} ms (of that until it is stored ${saved.toFixed(1)} ms), ` +
      `the bare channel's round trip ${trip.toFixed(1)} ms: ${(key / trip).toFixed(1)} times`,
  );
});

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
