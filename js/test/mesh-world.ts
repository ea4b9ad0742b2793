/** Replicas that make links by themselves, with WebRTC and a relay that are made up. */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { hex } from "../src/base/id.js";
import type { Engine } from "../src/engine/instance.js";
import { Identity, isSigned } from "../src/peers/identity.js";
import { Mesh, type LinkHandle } from "../src/peers/mesh.js";
import { read } from "../src/peers/messages.js";
import type { Passing } from "../src/peers/peer-link.js";
import type { Rtc, RtcChannel } from "../src/peers/rtc.js";
import { fakeRtc } from "./fake-rtc.js";
import { makeTicket } from "./ticket-maker.js";

export const SPACE = "notes";
export const DAY_MS = 24 * 60 * 60_000;
export const TICKET_MS = 600_000;
/** The key with which the relay signs. */
export const relay = await Identity.make();

export interface Replica {
  mesh: Mesh;
  key: Uint8Array;
  /** What came by way of others, or is to be passed on. */
  passing: number;
  links: Set<LinkHandle & { with: () => Replica | undefined }>;
}

export class World {
  readonly rtc = fakeRtc();
  /** In place of the one that is made up. */
  realRtc: Rtc | undefined;
  /** The relay passes nothing on between these. */
  readonly apart = new Set<Replica>();
  /** When tickets expire. */
  ticketMs = TICKET_MS;
  /** Who signs those of replicas that are kept apart. */
  signedApart = relay;
  /** Whether replicas pass on what others say. */
  passesOn = true;
  readonly replicas = new Set<Replica>();
  readonly #ofChannel = new Map<object, Replica>();
  isRelayThere = true;
  /** Whether the relay takes what replicas say to each other. */
  takesSignals = true;
  #pending = 0;
  signals = 0;

  async add(maxPeers = 6, isApart = false): Promise<Replica> {
    const replica: Replica = {
      key: new Uint8Array(),
      passing: 0,
      links: new Set(),
      mesh: undefined as unknown as Mesh,
    };
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
        if (to !== undefined && this.apart.has(to) && this.apart.has(replica)) return this.isRelayThere;
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
      hasRelay: () => this.isRelayThere,
      rtc: () => Promise.resolve(this.realRtc ?? this.rtc.rtc),
      isRelays: (bytes, signature) => this.#during(isSigned(relay.key, bytes, signature)),
      link: (channel, _, over, passing) => this.#link(replica, channel, over, passing),
    });
    this.replicas.add(replica);
    if (isApart) this.apart.add(replica);
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

  /** Lets so many seconds of the test's time pass at most, until something is so; whether it is. */
  async passes(seconds: number, isSo: () => boolean = () => false): Promise<boolean> {
    for (let passed = 0; passed < seconds && !isSo(); passed++) {
      await this.settled();
      mock.timers.tick(1_000);
    }
    await this.settled();
    return isSo();
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
      const areApart = this.apart.has(one) && this.apart.has(other);
      const ticket = await makeTicket(areApart ? this.signedApart : relay, SPACE, ends, Date.now() + this.ticketMs);
      one.mesh.introduced(other.key, "eu", ticket);
      other.mesh.introduced(one.key, "eu", ticket);
    }
  }

  #link(
    replica: Replica,
    channel: RtcChannel,
    over: (isForGood: boolean) => void,
    passing: (message: Passing) => void,
  ): LinkHandle {
    const ended = (): void => {
      if (replica.links.delete(link)) over(false);
    };
    const link = {
      end: () => {
        channel.close();
        ended();
      },
      pass: (message: Uint8Array<ArrayBuffer>) => {
        if (this.passesOn) channel.send(message);
        return this.passesOn;
      },
      with: () => this.#ofChannel.get(channel),
    };
    replica.links.add(link);
    // Each side says who it is.
    channel.send(new Uint8Array(replica.key));
    channel.listen({
      message: (bytes) => {
        const message = read(bytes);
        if (message !== undefined && "key" in message) {
          replica.passing += 1;
          return passing(message);
        }
        const other = [...this.replicas].find(({ key }) => hex(key) === hex(bytes));
        if (other !== undefined) this.#ofChannel.set(channel, other);
      },
      closed: ended,
    });
    return link;
  }
}
