/** `eyot/testing`: what somebody's own tests play with relays in their process. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SignJWT } from "jose";
import type { TestNetwork, TestNetworkOptions } from "../src/testing/types.js";
import { EyotError, openSpace, type Doc, type Space, type Status } from "./eyot.js";
import { testNetwork } from "./testing.js";

const HOUR_MS = 3_600_000;

interface Note {
  text: string;
}

async function on(options: TestNetworkOptions, play: (network: TestNetwork) => Promise<void>): Promise<void> {
  const network = testNetwork(options);
  try {
    await play(network);
  } finally {
    await network.close();
  }
}

const write = (doc: Doc<Note>, text: string) => doc.change((draft) => void (draft.text = text));

/** Resolves once a space's status is like this. */
function until(space: Space, is: (status: Status) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (status: Status): void => {
      if (!is(status)) return;
      stop();
      resolve();
    };
    const stop = space.subscribe(look);
    queueMicrotask(() => look(space.status));
  });
}

const coded = (code: string) => (error: unknown) => error instanceof EyotError && error.code === code;

describe("a network of one region", () => {
  it("brings what one replica writes to another, and stores it", () =>
    on({}, async (network) => {
      const ada = await network.openSpace("notes");
      const bob = await network.openSpace("notes");
      const note = ada.create({ text: "hello" });
      await ada.durable();
      await bob.synced();
      assert.deepEqual((await bob.open<Note>(note.id)).value, { text: "hello" });
      assert.equal(ada.status.relay?.region, "here");
    }));

  it("serves code that opens its spaces itself", () =>
    on({}, async (network) => {
      const space = await openSpace("notes", { relays: network.relays });
      try {
        space.create({ text: "" });
        await space.durable();
      } finally {
        await space.close();
      }
    }));

  it("keeps spaces apart", () =>
    on({}, async (network) => {
      const notes = await network.openSpace("notes");
      const others = await network.openSpace("others");
      const note = notes.create({ text: "" });
      await notes.durable();
      await others.synced();
      await assert.rejects(others.open(note.id), coded("not-found"));
    }));

  it("plays a replica that is offline: both write, and merge once it is healed", () =>
    on({}, async (network) => {
      const ada = await network.openSpace("notes");
      const bob = await network.openSpace("notes");
      const [hers, his] = [
        await ada.named<Record<string, string>>("n", {}),
        await bob.named<Record<string, string>>("n", {}),
      ];
      hers.change((draft) => void (draft["before"] = "a"));
      await ada.durable();
      await bob.synced();
      network.cut(ada);
      hers.change((draft) => void (draft["ada"] = "a"));
      his.change((draft) => void (draft["bob"] = "b"));
      await bob.durable();
      await assert.rejects(ada.durable({ timeout: 50 }), coded("timeout"));
      assert.equal(ada.status.unsent, 1);
      network.heal(ada);
      await ada.durable();
      await ada.synced();
      await bob.synced();
      assert.deepEqual(hers.value, { before: "a", ada: "a", bob: "b" });
      assert.deepEqual(his.value, hers.value);
    }));

  it("plays a relay that is killed, and has what it acknowledged", () =>
    on({}, async (network) => {
      const ada = await network.openSpace("notes");
      const note = ada.create({ text: "kept" });
      await ada.durable();
      network.kill("here");
      await until(ada, ({ state }) => state !== "live" && state !== "syncing");
      await ada.close();
      network.heal();
      const bob = await network.openSpace("notes");
      assert.deepEqual((await bob.open<Note>(note.id)).value, { text: "kept" });
    }));

  it("plays a relay that has lost its disk: replicas fill it again", () =>
    on({}, async (network) => {
      const ada = await network.openSpace("notes");
      const note = ada.create({ text: "once more" });
      await ada.durable();
      network.wipe("here");
      const bob = await network.openSpace("notes");
      await until(bob, ({ state }) => state === "live");
      await new Promise<void>((resolve) => {
        const look = (list: readonly { id: string }[]) => list.some(({ id }) => id === note.id) && resolve();
        bob.subscribeDocuments(look);
        look(bob.documents());
      });
      assert.deepEqual((await bob.open<Note>(note.id)).value, { text: "once more" });
    }));
});

describe("a network of several regions", () => {
  const regions = ["eu", "us"];

  it("links them: what is written in one is stored in both", () =>
    on({ regions }, async (network) => {
      const ada = await network.openSpace("notes", { region: "eu" });
      const bob = await network.openSpace("notes", { region: "us" });
      const note = ada.create({ text: "far" });
      await ada.durable({ regions: 2 });
      await bob.synced();
      assert.deepEqual((await bob.open<Note>(note.id)).value, { text: "far" });
      assert.deepEqual([ada.status.relay?.region, bob.status.relay?.region], ["eu", "us"]);
    }));

  it("plays a failover, and the way back", () =>
    on({ regions }, async (network) => {
      const ada = await network.openSpace("notes", { region: "eu" });
      await until(ada, ({ relay }) => relay?.region === "eu");
      network.kill("eu");
      const note = ada.create({ text: "" });
      await ada.durable();
      assert.equal(ada.status.relay?.region, "us");
      network.heal("eu");
      write(note as Doc<Note>, "back");
      const back = until(ada, ({ relay }) => relay?.region === "eu");
      await network.advance(10 * 60_000);
      await back;
      await ada.durable({ regions: 2 });
    }));

  it("plays a partition: each half goes on, and they merge", () =>
    on({ regions }, async (network) => {
      const ada = await network.openSpace("notes", { region: "eu" });
      const bob = await network.openSpace("notes", { region: "us" });
      const note = ada.create({ text: "" });
      await ada.durable({ regions: 2 });
      network.cut("eu", "us");
      network.cut(ada, "us");
      network.cut(bob, "eu");
      write(note as Doc<Note>, "during");
      await ada.durable();
      await assert.rejects(ada.durable({ regions: 2, timeout: 50 }), coded("timeout"));
      network.heal();
      await network.advance(60_000);
      await ada.durable({ regions: 2 });
      await bob.synced();
      assert.deepEqual((await bob.open<Note>(note.id)).value, { text: "during" });
    }));
});

describe("time on a network", () => {
  it("moves for waits, without waiting", () =>
    on({}, async (network) => {
      const space = await network.openSpace("notes");
      network.cut();
      space.create({ text: "" });
      const late = assert.rejects(space.durable({ timeout: HOUR_MS }), coded("timeout"));
      await network.advance(HOUR_MS);
      await late;
    }));

  it("moves for replicas: what is said at most four times a second is said", () =>
    on({}, async (network) => {
      const ada = await network.openSpace("notes");
      const bob = await network.openSpace("notes");
      await ada.synced();
      await bob.synced();
      assert.equal(bob.presence.others.size, 0);
      for (const state of ["comes", "is here", "leaves"]) ada.presence.set(state);
      await network.advance(1_000);
      assert.deepEqual([...bob.presence.others.values()], ["leaves"]);
      network.cut(ada);
      await network.advance(15_000);
      assert.equal(bob.presence.others.size, 0);
    }));

  it("moves for relays and tokens: one that has expired lets nobody in", () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const token = (ms: number): Promise<string> =>
      new SignJWT({ spaces: { notes: "write" } })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("ada")
        .setExpirationTime(new Date(Date.now() + ms))
        .sign(new TextEncoder().encode(secret));
    return on({ keys: { secret } }, async (network) => {
      const space = await network.openSpace("notes", { token: await token(60_000) });
      space.create({ text: "" });
      await space.durable();
      const stranger = await network.openSpace("notes");
      await until(stranger, ({ state }) => state === "denied");
      const denied = until(space, ({ state }) => state === "denied");
      await network.advance(120_000);
      await denied;
      assert.equal(space.status.error?.code, "expired");
    });
  });

  it("passes between a message and its arrival", () =>
    on({}, async (network) => {
      const ada = await network.openSpace("notes");
      await ada.synced();
      network.delay(3_000);
      const from = network.now();
      ada.create({ text: "" });
      const stored = ada.durable().then(() => network.now());
      await network.advance(10_000);
      assert.ok((await stored) - from >= 6_000, "there and back");
    }));
});

describe("what makes no sense is refused", () => {
  for (const [what, options] of [
    ["regions that are none", { regions: [] }],
    ["a region twice", { regions: ["eu", "eu"] }],
    ["a region without a name", { regions: [""] }],
    ["an option that there isn't", { region: "eu" }],
    ["a seed that is no number", { seed: "x" }],
  ] as const) {
    it(`in testNetwork: ${what}`, () => {
      assert.throws(() => testNetwork(options as never), coded("invalid"));
    });
  }

  it("in its methods", () =>
    on({ regions: ["eu"] }, async (network) => {
      await assert.rejects(network.openSpace("notes", { region: "us" }), coded("invalid"));
      await assert.rejects(network.openSpace("notes", { relays: [] } as never), coded("invalid"));
      assert.throws(() => network.cut("us"), coded("invalid"));
      assert.throws(() => network.kill("us"), coded("invalid"));
      assert.throws(() => network.cut({} as never), coded("invalid"));
      assert.throws(() => network.delay(-1), coded("invalid"));
      assert.throws(() => void network.advance(NaN), coded("invalid"));
      await network.close();
      assert.throws(() => network.cut(), coded("closed"));
    }));
});
