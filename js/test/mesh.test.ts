/** Which links replicas make by themselves, with WebRTC and a relay that are made up. */
import assert from "node:assert/strict";
import { afterEach, describe, it, mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { hex } from "../src/base/id.js";
import type { Engine } from "../src/engine/instance.js";
import { Identity, isSigned } from "../src/peers/identity.js";
import { Mesh } from "../src/peers/mesh.js";
import type { RtcChannel } from "../src/peers/rtc.js";
import { freshId, write } from "../src/peers/signals.js";
import { fakeRtc } from "./fake-rtc.js";
import { makeTicket } from "./ticket-maker.js";

const SPACE = "notes";
const DAY_MS = 24 * 60 * 60_000;
const TICKET_MS = 600_000;
const relay = await Identity.make();

interface Replica {
  mesh: Mesh;
  key: Uint8Array;
  links: Set<{ end(): void; with: () => Replica | undefined }>;
}

class World {
  readonly rtc = fakeRtc();
  readonly replicas = new Set<Replica>();
  readonly #ofChannel = new Map<object, Replica>();
  isRelayThere = true;
  /** Whether the relay takes what replicas say to each other. */
  takesSignals = true;
  #pending = 0;
  signals = 0;

  async add(maxPeers = 6): Promise<Replica> {
    const replica: Replica = { key: new Uint8Array(), links: new Set(), mesh: undefined as unknown as Mesh };
    const engine = {
      announce: (key: Uint8Array) => {
        replica.key = key;
        if (this.isRelayThere) void this.#during(this.#introduce(replica));
      },
      signal: (key: Uint8Array, region: string, bytes: Uint8Array) => {
        this.signals += 1;
        if (!this.takesSignals) return false;
        const to = [...this.replicas].find((other) => hex(other.key) === hex(key));
        const isThere = to !== undefined;
        const [hears, about, what] = isThere ? [to, replica.key, bytes] : [replica, key, new Uint8Array()];
        if (this.isRelayThere) queueMicrotask(() => hears.mesh.signalled(about, region, what));
        return this.isRelayThere;
      },
    } as unknown as Engine;
    replica.mesh = new Mesh({
      space: SPACE,
      iceServers: [],
      maxPeers,
      graceMs: DAY_MS,
      isUsable: true,
      run: (fn) => fn(engine),
      changed: () => undefined,
      rtc: () => Promise.resolve(this.rtc.rtc),
      isRelays: (bytes, signature) => this.#during(isSigned(relay.key, bytes, signature)),
      link: (channel, _, over) => this.#link(replica, channel, over),
    });
    this.replicas.add(replica);
    await replica.mesh.start();
    return replica;
  }

  remove(replica: Replica): void {
    this.replicas.delete(replica);
    replica.mesh.end();
    for (const link of [...replica.links]) link.end();
  }

  end(): void {
    for (const replica of [...this.replicas]) this.remove(replica);
  }

  /** Waits until something is so. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (performance.now() < deadline) {
      if (isSo()) return;
      await turn();
    }
    assert.fail(`waited in vain until ${what}: ${[...this.replicas].map(({ links }) => links.size).join(" ")}`);
  }

  /** Waits until all that was said of tickets is looked at. */
  async settled(): Promise<void> {
    for (let quiet = 0; quiet < 10; quiet = this.#pending > 0 ? 0 : quiet + 1) await turn();
  }

  async #during<T>(work: Promise<T>): Promise<T> {
    this.#pending += 1;
    return work.finally(() => (this.#pending -= 1));
  }

  get isConnected(): boolean {
    const [first] = this.replicas;
    const reached = new Set([first]);
    for (const one of reached) for (const link of one!.links) if (link.with()) reached.add(link.with());
    return reached.size === this.replicas.size;
  }

  hasAtLeast(links: number): boolean {
    return [...this.replicas].every((replica) => replica.links.size >= links);
  }

  async #introduce(one: Replica): Promise<void> {
    for (const other of this.replicas) {
      if (other === one || other.key.length === 0) continue;
      const ends = [[one.key, "write"] as const, [other.key, "write"] as const];
      const ticket = await makeTicket(relay, SPACE, ends, Date.now() + TICKET_MS);
      one.mesh.introduced(other.key, "eu", ticket);
      other.mesh.introduced(one.key, "eu", ticket);
    }
  }

  #link(replica: Replica, channel: RtcChannel, over: (isForGood: boolean) => void): { end(): void } {
    const ended = (): void => {
      if (replica.links.delete(link)) over(false);
    };
    const link = {
      end: () => {
        channel.close();
        ended();
      },
      with: () => this.#ofChannel.get(channel),
    };
    replica.links.add(link);
    // Each side says who it is.
    channel.send(new Uint8Array(replica.key));
    channel.listen({
      message: (bytes) => {
        const other = [...this.replicas].find(({ key }) => hex(key) === hex(bytes));
        if (other !== undefined) this.#ofChannel.set(channel, other);
      },
      closed: ended,
    });
    return link;
  }
}

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
