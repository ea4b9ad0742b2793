/** Which links replicas make by themselves. */
import assert from "node:assert/strict";
import { afterEach, describe, it, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { freshId, write } from "../src/peers/signals.js";
import { DAY_MS, TICKET_MS, World } from "./mesh-world.js";

let world = new World();
afterEach(() => {
  world.end();
  mock.timers.reset();
  world = new World();
});

describe("a mesh", () => {
  it("of thirty is connected, and nobody has more than six links or fewer than three", async () => {
    for (let count = 0; count < 30; count++) await world.add();
    await world.until("all have links", () => world.hasAtLeast(3) && world.isConnected);
    assert.ok([...world.replicas].every(({ links }) => links.size <= 6));
  });

  it("heals when many leave at once", async () => {
    for (let count = 0; count < 20; count++) await world.add();
    await world.until("all have links", () => world.hasAtLeast(3) && world.isConnected);
    for (const replica of [...world.replicas].slice(0, 10)) world.remove(replica);
    await world.until("the rest have links", () => world.hasAtLeast(3) && world.isConnected);
  });

  it("lets a new one in although everybody has enough links", async () => {
    for (let count = 0; count < 8; count++) await world.add(2);
    await world.until("all have enough links", () => world.hasAtLeast(2));
    const late = await world.add(2);
    await world.until("it has a link", () => late.links.size > 0);
    await world.until("nobody has too many", () => [...world.replicas].every(({ links }) => links.size <= 2));
  });

  it("has one link between two that offer each other one at the same time", async () => {
    await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    for (let turns = 0; turns < 1_000; turns++) await turn();
    assert.deepEqual(
      [...world.replicas].map(({ links }) => links.size),
      [1, 1],
    );
  });

  it("keeps a link that finds another way when the network has changed, on one side or on both", async () => {
    const [one, other] = await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    const links = [one, other].map(({ links }) => [...links]);
    one.mesh.networkChanged();
    await world.until("it has found another way", () => world.rtc.restarts() > 0);
    for (const { mesh } of [one, other]) mesh.networkChanged();
    await world.until("it has found another one", () => world.rtc.restarts() > 1);
    assert.deepEqual(
      [one, other].map(({ links }) => [...links]),
      links,
    );
  });

  it("looks for another way once where two lose each other", async () => {
    await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    world.rtc.disconnect();
    await world.until("they have found another way", () => world.rtc.restarts() > 0);
    for (let turns = 0; turns < 1_000; turns++) await turn();
    assert.equal(world.rtc.restarts(), 1);
  });

  it("tells of another way once the relay is back, too", async () => {
    const [one] = await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    world.isRelayThere = false;
    const { signals } = world;
    one.mesh.networkChanged();
    await world.until("it has tried to say so", () => world.signals > signals);
    world.isRelayThere = true;
    await world.until("it has found another way", () => world.rtc.restarts() > 0);
  });

  it("takes no way to somebody else", async () => {
    const [one, other] = await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    const { signals } = world;
    const description = { fingerprint: new Uint8Array(32), user: "user", password: "password", candidates: [] };
    const restart = write({ kind: "restart", id: freshId(), description });
    one.mesh.signalled(other.key, "eu", restart);
    for (let turns = 0; turns < 1_000; turns++) await turn();
    assert.deepEqual([world.rtc.restarts(), world.signals], [0, signals]);
  });

  it("tries again within seconds where two could not be linked", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    world.takesSignals = false;
    await Promise.all([world.add(), world.add()]);
    await world.until("they have tried", () => world.signals >= 2);
    world.takesSignals = true;
    for (let seconds = 0; seconds < 12; seconds++) {
      await world.settled();
      mock.timers.tick(1_000);
    }
    await world.until("both have a link", () => world.hasAtLeast(1));
  });

  it("goes on for a day after the tickets have expired, and no longer", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    world.isRelayThere = false;
    mock.timers.tick(TICKET_MS + DAY_MS - 1_000);
    await turn();
    assert.ok(world.hasAtLeast(1));
    mock.timers.tick(1_000);
    await world.until("the links have ended", () => [...world.replicas].every(({ links }) => links.size === 0));
  });

  it("gets fresh tickets in time as long as there is a relay", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    await Promise.all([world.add(), world.add()]);
    await world.until("both have a link", () => world.hasAtLeast(1));
    const { signals } = world;
    for (let hours = 0; hours < 72; hours++) {
      mock.timers.tick(DAY_MS / 24);
      // A ticket is checked meanwhile, which no clock counts.
      await world.settled();
    }
    assert.ok(world.hasAtLeast(1));
    assert.equal(world.signals, signals, "the links are the same");
  });
});
