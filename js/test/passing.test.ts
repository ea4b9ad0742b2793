/** Replicas that no relay brings together any more, but one that is linked to both. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { Identity } from "../src/peers/identity.js";
import { passOn } from "../src/peers/messages.js";
import { findRtc } from "../src/peers/node-rtc.js";
import { DAY_MS, World, type Replica } from "./mesh-world.js";

let world = new World();
beforeEach(() => {
  world = new World();
});
afterEach(() => {
  world.end();
  mock.timers.reset();
});

/** Three in a line: the relay keeps the ends apart, and then it is gone. */
async function line(): Promise<[Replica, Replica, Replica]> {
  const [one, other] = [await world.add(6, true), await world.add(6, true)];
  const middle = await world.add();
  await world.until("both are linked to the one between", () => middle.links.size === 2 && world.isConnected);
  assert.deepEqual([one.links.size, other.links.size], [1, 1]);
  return [one, middle, other];
}

const isLinked = (one: Replica, other: Replica): boolean => [...one.links].some((link) => link.with() === other);
const areLinked = (one: Replica, other: Replica): boolean => isLinked(one, other) && isLinked(other, one);

describe("without a relay", () => {
  it("two become linked by way of a third one, over real connections", async () => {
    world.realRtc = await findRtc();
    const [one, , other] = await line();
    world.isRelayThere = false;
    await world.until("the ends are linked", () => areLinked(one, other));
  });

  it("a ticket that has expired is good for as long as its links are", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    world.ticketMs = 60_000;
    const [one, , other] = await line();
    [world.isRelayThere, world.passesOn] = [false, false];
    for (let hours = 0; hours < 20; hours++) mock.timers.tick(DAY_MS / 24);
    assert.equal(await world.passes(60), false);
    assert.ok(!areLinked(one, other), "nobody passes anything on");
    world.passesOn = true;
    // They look for links ever more rarely, up to every ten minutes.
    assert.ok(await world.passes(1_200, () => areLinked(one, other)));
  });

  it("two whose ticket no relay has signed do not become linked", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    world.signedApart = await Identity.make();
    const [one, middle, other] = await line();
    world.isRelayThere = false;
    await world.passes(300);
    assert.deepEqual(
      [one, middle, other].map(({ links }) => links.size),
      [1, 2, 1],
    );
  });

  it("who is asked to pass something on says that the other one is not linked, and does so at its rate", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    const [one] = await line();
    const [link] = [...one.links];
    const before = one.passing;
    for (let count = 0; count < 1_000; count++) link!.pass(passOn(new Uint8Array(32), new Uint8Array([1])));
    await world.settled();
    const answers = one.passing - before;
    assert.ok(answers > 0 && answers <= 64, `${answers} answers`);
  });

  it("a mesh whose parts hang together by one replica grows together", async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
    for (let count = 0; count < 4; count++) await world.add(6, true);
    await world.add();
    assert.ok(await world.passes(300, () => world.isConnected), "all are linked to the one between");
    world.isRelayThere = false;
    // In the end two are linked to the same two others, and what one says to the other comes by both.
    assert.ok(await world.passes(300, () => world.hasAtLeast(3)));
  });
});
