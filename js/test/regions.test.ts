/** A replica and the relays of its space, over real links: where it is, what lets it in, what it waits for. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, mock } from "node:test";
import {
  directory,
  EyotError,
  openSpace,
  type ChangeEvent,
  type DocInfo,
  type Space,
  type SpaceOptions,
  type Status,
} from "./eyot.js";
import { OPEN, TestRelay, type Verdict } from "./relay.js";

type Counted = { n: number };

const increment = (draft: Counted): void => void (draft.n += 1);

describe("the status", () => {
  it("says which relay a space is linked to, and what its region has stored", () =>
    inRegion(async (relay, open) => {
      const space = await open();
      const commit = space.create({ n: 0 }).change(increment);
      await commit.durable();
      const { status } = space;
      assert.equal(status.relay?.url, relay.address);
      assert.equal(status.relay.region, "eu");
      assert.ok(status.relay.rttMs >= 0 && Object.isFrozen(status.relay));
      assert.deepEqual(status.behind, { eu: 0 });
      assert.equal(status.unsent, 0);
    }));

  it("says what a relay holds against a token, until it does no more", () =>
    inRegion(async (relay, open) => {
      relay.verify = () => ({ expired: false, reason: "this key is not known" });
      const space = await open({ token: "a token" });
      const { state, error } = await until(space, ({ error }) => error !== undefined);
      assert.deepEqual([state, error?.code], ["denied", "denied"]);
      assert.match(error!.message, /this key is not known/);
      assert.doesNotMatch(error!.message, /a token/);
      relay.verify = () => OPEN;
      space.setOnline(true);
      const { error: later } = await until(space, ({ state }) => state === "live");
      assert.equal(later, undefined);
    }));

  it("says that a token has expired", () =>
    inRegion(async (relay, open) => {
      relay.verify = () => ({ expired: true, reason: "the token has expired" });
      const space = await open({ token: "a token" });
      const { error } = await until(space, ({ error }) => error !== undefined);
      assert.equal(error?.code, "expired");
    }));

  it("says that a token only lets read", () =>
    inRegion(async (relay, open) => {
      relay.verify = () => ({ ...OPEN, spaces: [["test", "read"]] });
      const space = await open({ token: "a token" });
      const doc = space.create({ n: 0 });
      doc.change(increment);
      const { error, unsent } = await until(space, ({ error }) => error !== undefined);
      assert.equal(error?.code, "denied");
      assert.equal(unsent, 2);
      assert.equal(doc.value.n, 1);
    }));
});

describe("documents of others", () => {
  it("come, grow and go, and who follows them is told", () =>
    inRegion(async (_, open) => {
      const here = await open();
      const there = await open();
      const heardOf = (is: (list: readonly DocInfo[]) => boolean) =>
        new Promise<void>((resolve) => {
          const stop = there.subscribeDocuments((list) => is(list) && (stop(), resolve()));
        });
      const came = heardOf((list) => list.length === 1);
      const doc = here.create({ n: 0 });
      await came;
      const grown = heardOf(([info]) => info?.commits === 2);
      doc.change(increment);
      await grown;
      assert.equal(there.documents(), there.documents());

      const copy = await there.open<Counted>(doc.id);
      const { value } = copy;
      const gone = heardOf((list) => list.length === 0);
      const told = new Promise<ChangeEvent>((resolve) => copy.subscribe((_, event) => resolve(event)));
      here.delete(doc.id);
      assert.deepEqual(await told, { origin: "remote", patches: [], deleted: true });
      await gone;
      assert.equal(copy.deleted, true);
      assert.equal(copy.value, value);
      assert.throws(() => copy.change(increment), coded("not-found"));
      assert.throws(() => copy.heads, coded("not-found"));
      await assert.rejects(there.open(doc.id), coded("not-found"));
    }));
});

describe("a token", () => {
  const expiring = (ms: number): Verdict => ({ ...OPEN, expiresAt: Date.now() + ms });

  it("is asked for again before it expires, and renewed on the same link", () =>
    inRegion(async (relay, open) => {
      const seen: (string | undefined)[] = [];
      const renewed = new Promise<void>((resolve) => {
        relay.verify = (token) => {
          seen.push(token);
          if (seen.length === 2) resolve();
          return expiring(seen.length === 1 ? 1_000 : 60_000);
        };
      });
      let asked = 0;
      const space = await open({ token: () => `token ${++asked}` });
      await until(space, ({ state }) => state === "live");
      const states = new Set<string>();
      const stop = space.subscribe(({ state }) => states.add(state));
      await renewed;
      await space.synced();
      stop();
      assert.ok([...states].every((state) => state === "live"));
      assert.deepEqual(seen, ["token 1", "token 2"]);
    }));

  it("that cannot be renewed at first is asked for until it is, and the link goes on", () =>
    inRegion(async (relay, open) => {
      const seen: (string | undefined)[] = [];
      relay.verify = (token) => {
        seen.push(token);
        return expiring(seen.length === 1 ? 6_000 : 60_000);
      };
      let asked = 0;
      const token = async (): Promise<string> => {
        asked += 1;
        if (asked === 2) throw new Error("who are you?");
        return `token ${asked}`;
      };
      const space = await open({ token });
      const { state, error } = await until(space, ({ error }) => error !== undefined);
      assert.equal(state, "live");
      assert.equal(error?.code, "denied");
      assert.match(error.message, /who are you/);
      await until(space, ({ error }) => error === undefined);
      await space.synced();
      assert.equal(space.status.state, "live");
      assert.deepEqual(seen, ["token 1", "token 3"]);
    }));
});

describe("a link", () => {
  it("that nothing is heard of is asked whether it lives, and lives on if it answers", () =>
    inRegion(async (relay, open) => {
      const space = await open();
      await until(space, ({ state }) => state === "live");
      const { now } = Date;
      const later = mock.method(Date, "now", () => now() + 21_000);
      try {
        const doc = space.create({ n: 0 });
        await doc.change(increment).durable();
        assert.deepEqual(relay.texts, ["ping"]);
        await space.synced();
        assert.equal(space.status.state, "live");
      } finally {
        later.mock.restore();
      }
    }));
});

describe("fresh", () => {
  it("resolves once what the region holds is held here", () =>
    inRegion(async (_, open) => {
      const writer = await open();
      const doc = writer.create({ n: 0 });
      await doc.change(increment).durable();
      const reader = await open();
      await reader.fresh({ regions: 1 });
      assert.equal((await reader.open<Counted>(doc.id)).value.n, 1);
    }));

  it("of more regions than there are, or of no number of them, is invalid", () =>
    inRegion(async (_, open) => {
      const space = await open();
      await space.synced();
      for (const regions of [2, 2 ** 32 + 1, 0, -1, 1.5, NaN, Infinity, "1", undefined]) {
        await assert.rejects(space.fresh({ regions: regions as number }), coded("invalid"));
      }
      await assert.rejects((space.fresh as () => Promise<void>)(), coded("invalid"));
      await assert.rejects(space.fresh({ regions: 1, timeout: -1 }), coded("invalid"));
    }));

  it("ends when its time is up, its signal says so, or the space is closed", () =>
    inRegion(async (relay, open) => {
      const space = await open();
      await space.synced();
      await relay.stop();
      await assert.rejects(space.fresh({ regions: 1, timeout: 5 }), coded("timeout"));
      await assert.rejects(space.fresh({ regions: 1, signal: AbortSignal.timeout(5) }), coded("aborted"));
      const closed = assert.rejects(space.fresh({ regions: 1 }), coded("closed"));
      await space.close();
      await closed;
    }));
});

describe("a relay that dies", () => {
  it("leaves its clients to another, which they bring what they made", () =>
    inRegion((eu, open) =>
      inRegion(async (us) => {
        const space = await open({ relays: [eu.address, us.address] });
        const doc = space.create({ n: 0 });
        await doc.change(increment).durable();
        const { relay } = space.status;
        const [dies, lives] = relay?.region === "eu" ? [eu, us] : [us, eu];
        assert.equal(relay?.url, dies.address);
        await dies.stop();
        const commit = doc.change(increment);
        await until(space, ({ relay }) => relay?.url === lives.address);
        await commit.durable();
        const other = await open({ relays: [lives.address] });
        assert.equal((await other.open<Counted>(doc.id)).value.n, 2);
      }, "us"),
    ));
});

describe("a relay that was met", () => {
  it("is found again while the directory that named it is gone", () =>
    inRegion(async (relay, open) => {
      const folder = await mkdtemp(join(tmpdir(), "eyot-"));
      const server = createServer((_, response) => {
        response.end(JSON.stringify([{ region: "eu", url: relay.address }]));
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const again = () => open({ storage: directory(folder), relays: { directory: url } });
      try {
        const before = await again();
        await before.synced();
        await before.close();
        server.close();
        server.closeAllConnections();
        const after = await again();
        await after.synced();
        assert.equal(after.status.relay?.url, relay.address);
        await after.close();
      } finally {
        await rm(folder, { recursive: true });
      }
    }));
});

type Opener = (options?: SpaceOptions) => Promise<Space>;

/** Spaces that link to a relay unless told otherwise, and are closed in the end. */
async function inRegion(test: (relay: TestRelay, open: Opener) => Promise<void>, region = "eu"): Promise<void> {
  const relay = await TestRelay.start(region);
  const spaces: Space[] = [];
  try {
    await test(relay, async (options) => {
      const space = await openSpace("test", { relays: [relay.address], ...options });
      spaces.push(space);
      return space;
    });
  } finally {
    for (const space of spaces) await space.close();
    await relay.stop();
  }
}

function until(space: Space, is: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve) => {
    const look = (status: Status) => is(status) && (stop(), resolve(status));
    const stop = space.subscribe(look);
    look(space.status);
  });
}

function coded(code: EyotError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof EyotError && error.code === code;
}
