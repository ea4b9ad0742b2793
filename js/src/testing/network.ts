/** A network in one process: relays of several regions, links that can be cut, time that can be moved. */
import { checkKeys } from "../access/keys.js";
import { bindMethods } from "../base/bind.js";
import { checkName, kindOf, optionsOf } from "../base/check.js";
import { useClock } from "../base/clock.js";
import { EyotError, invalid } from "../base/error.js";
import { addHost, type InProcessHost, removeHost, sayReachable } from "../base/in-process.js";
import type { HostSocket } from "../host/relay.js";
import { memory } from "../storage/choice.js";
import type { Space, SpaceOptions } from "../space/types.js";
import { ClientSocket } from "./client-socket.js";
import { MovableClock } from "./clock.js";
import { Cuts } from "./parties.js";
import { Region } from "./region.js";
import { turn } from "./turns.js";
import type { Party, TestNetwork, TestNetworkOptions, TestSpaceOptions } from "./types.js";
import { Connection, Wire } from "./wire.js";

/** What an entry of this package provides for its platform. */
export interface TestPlatform {
  openSpace(name: string, options?: SpaceOptions): Promise<Space>;
  /** The Wasm of relays. */
  module(): Promise<WebAssembly.Module>;
}

const REGION_BYTES_MAX = 48;
/** How much longer than the nearest one other relays take to say that they are there. */
const FAR_MS = 20;
/** The network is at rest once it was quiet for so many turns. */
const QUIET_TURNS = 5;

/** Of all networks of this process. */
const clock = new MovableClock();
let networks = 0;
/** Those that are not closed. */
const open = new Set<Network>();

export class Network implements TestNetwork, InProcessHost {
  readonly relays: readonly string[];
  readonly #platform: TestPlatform;
  readonly #options: Required<Pick<TestNetworkOptions, "regions" | "keys">> & { seed: number | undefined };
  readonly #host: string;
  readonly #wire = new Wire(clock);
  readonly #cuts = new Cuts();
  readonly #killed = new Set<string>();
  readonly #connections = new Set<Connection>();
  readonly #spaces = new Map<Space, string>();
  #regions: Promise<ReadonlyMap<string, Region>> | undefined;
  #started: ReadonlyMap<string, Region> | undefined;
  #replicas = 0;
  #seeds = 0;
  #isClosed = false;
  #moving: Promise<void> = Promise.resolve();

  constructor(given: TestNetworkOptions | undefined, platform: TestPlatform) {
    const options = optionsOf<TestNetworkOptions>("testNetwork()", given, ["regions", "keys", "seed"]);
    const { regions = ["here"], keys = "open", seed } = options;
    if (!Array.isArray(regions) || regions.length === 0) throw invalid("regions is a list of names, at least one");
    for (const region of regions) checkName("a region's name", region, REGION_BYTES_MAX);
    if (new Set(regions).size < regions.length) throw invalid("regions names one of them twice");
    if (keys !== "open") checkKeys(keys);
    if (seed !== undefined && !Number.isSafeInteger(seed)) throw invalid("seed is a whole number");
    this.#platform = platform;
    this.#options = { regions: [...regions], keys, seed };
    this.#host = `network-${++networks}.eyot.invalid`;
    this.relays = this.#addresses("");
    useClock(clock);
    open.add(this);
    addHost(this.#host, this);
    bindMethods(this);
  }

  async openSpace(name: string, given?: TestSpaceOptions): Promise<Space> {
    this.#check();
    const { region, ...options } = given ?? {};
    if ("relays" in options) throw invalid("the relays of this space are those of the network");
    const home = region ?? this.#options.regions[0]!;
    this.#region(home);
    const replica = `${++this.#replicas}`;
    const relays = this.#addresses(`/of/${replica}/near/${encodeURIComponent(home)}`);
    const space = await this.#platform.openSpace(name, { storage: memory(), ...options, relays });
    this.#spaces.set(space, replicaParty(replica));
    return space;
  }

  cut(party?: Party, from?: Party): void {
    this.#check();
    const cut = party === undefined ? this.#options.regions.map(regionParty) : [this.#party(party)];
    const other = from === undefined ? undefined : this.#party(from);
    for (const one of cut) this.#cuts.cut(one, other);
    for (const connection of [...this.#connections]) if (this.#cuts.isCut(...connection.parties)) connection.cut();
  }

  heal(party?: Party, from?: Party): void {
    this.#check();
    if (party === undefined) {
      this.#cuts.healAll();
      for (const region of [...this.#killed]) this.#revive(region);
    } else {
      this.#cuts.heal(this.#party(party), from === undefined ? undefined : this.#party(from));
      if (typeof party === "string" && from === undefined) this.#revive(party);
    }
    sayReachable();
  }

  kill(region: string): void {
    this.#region(region);
    this.#killed.add(region);
    this.#end(region, (relays) => relays.end());
  }

  wipe(region: string): void {
    this.#region(region);
    this.#end(region, (relays) => relays.wipe());
  }

  delay(ms: number): void {
    if (typeof ms !== "number" || !(ms >= 0)) throw invalid("a delay is a number of milliseconds, from 0");
    this.#wire.delayMs = ms;
  }

  advance(ms: number): Promise<void> {
    if (typeof ms !== "number" || !(ms >= 0)) throw invalid("time moves by a number of milliseconds, from 0");
    return (this.#moving = this.#moving.then(() => this.#advance(ms)));
  }

  now(): number {
    return clock.now();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#spaces.keys()].map((space) => space.close()));
    for (const region of (await this.#regions)?.values() ?? []) region.end();
    removeHost(this.#host);
    open.delete(this);
    // The next test begins in the present.
    if (open.size === 0) clock.reset();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // What is asked at the addresses of its relays.

  connect(url: URL): ClientSocket {
    const socket = new ClientSocket();
    const { home: _, party, region, path } = this.#read(url);
    const space = /^\/v1\/([^/]+)$/.exec(path)?.[1];
    this.#wire.post(() => {
      void this.#start().then((regions) => {
        if (space === undefined || !this.#isReachable(party, region)) return socket.lost();
        const [theirs, ours] = this.#join(party, regionParty(region)).ends;
        regions.get(region)!.accept(ours, decodeURIComponent(space));
        socket.opened(theirs);
      });
    });
    return socket;
  }

  async ask(url: URL): Promise<Response> {
    const { home, party, region, path } = this.#read(url);
    // There and back.
    for (let way = 0; way < 2; way += 1) await new Promise<void>((resolve) => this.#wire.post(resolve));
    if (region !== home) await new Promise<void>((resolve) => clock.setTimer(resolve, FAR_MS));
    if (!this.#isReachable(party, region)) throw new TypeError("the relay can't be reached");
    if (path === "/health") return Response.json({ status: "ok", region });
    if (path === "/v1/keys") return Response.json({ keys: [] });
    return new Response("there is nothing here\n", { status: 404 });
  }

  // The relays.

  #start(): Promise<ReadonlyMap<string, Region>> {
    this.#regions ??= this.#platform.module().then((module) => {
      const { regions, keys } = this.#options;
      const context = {
        module,
        regions,
        keys,
        seed: () => this.#seed(),
        dial: (from: string, to: string, space: string) => this.#dial(from, to, space),
      };
      return (this.#started = new Map(regions.map((name) => [name, new Region(name, context)])));
    });
    return this.#regions;
  }

  async #dial(from: string, to: string, space: string): Promise<HostSocket> {
    await new Promise<void>((resolve) => this.#wire.post(resolve));
    if (this.#killed.has(from) || !this.#isReachable(regionParty(from), to)) throw new Error(`${to} can't be reached`);
    const [ours, theirs] = this.#join(regionParty(from), regionParty(to)).ends;
    this.#started!.get(to)!.accept(theirs, space, Region.comer(from));
    return ours;
  }

  #join(one: string, other: string): Connection {
    const connection = new Connection(this.#wire, [one, other], () => this.#connections.delete(connection));
    this.#connections.add(connection);
    return connection;
  }

  #isReachable(party: string, region: string): boolean {
    return !this.#isClosed && !this.#killed.has(region) && !this.#cuts.isCut(party, regionParty(region));
  }

  #end(region: string, end: (relays: Region) => void): void {
    for (const connection of [...this.#connections]) {
      if (connection.parties.includes(regionParty(region))) connection.cut();
    }
    const relays = this.#started?.get(region);
    if (relays !== undefined) end(relays);
  }

  #revive(region: string): void {
    if (this.#killed.delete(region)) this.#started?.get(region)?.resume();
  }

  #seed(): Uint8Array {
    const { seed } = this.#options;
    const bytes = new Uint8Array(32);
    if (seed === undefined) return crypto.getRandomValues(bytes);
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, seed);
    view.setFloat64(8, ++this.#seeds);
    return bytes;
  }

  // Time.

  async #advance(ms: number): Promise<void> {
    const until = clock.now() + ms;
    for (;;) {
      await this.#rest();
      const due = clock.due;
      if (due === undefined || due > until) break;
      clock.moveTo(due);
    }
    clock.moveTo(until);
    await this.#rest();
  }

  async #rest(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = this.#wire.isQuiet ? quiet + 1 : 0) {
      await new Promise<void>((resolve) => turn(resolve));
    }
  }

  // Addresses and parties.

  #addresses(before: string): string[] {
    return this.#options.regions.map((region) => `ws://${this.#host}${before}/at/${encodeURIComponent(region)}`);
  }

  #read({ pathname }: URL): { home: string; party: string; region: string; path: string } {
    const [, replica, near, at, path] = /^(?:\/of\/(\d+)\/near\/([^/]+))?\/at\/([^/]+)(\/.*)$/.exec(pathname) ?? [];
    const home = near === undefined ? this.#options.regions[0]! : decodeURIComponent(near);
    return { home, party: replicaParty(replica ?? ""), region: decodeURIComponent(at ?? ""), path: path ?? "" };
  }

  #party(party: Party): string {
    if (typeof party === "string") return regionParty(this.#region(party));
    const replica = this.#spaces.get(party);
    if (replica === undefined) throw invalid(`a party is a region or a space of this network, not ${kindOf(party)}`);
    return replica;
  }

  #region(name: string): string {
    this.#check();
    if (this.#options.regions.includes(name)) return name;
    throw invalid(`there is no region ${String(name)}: there are ${this.#options.regions.join(", ")}`);
  }

  #check(): void {
    if (this.#isClosed) throw new EyotError("closed", "the network is closed");
  }
}

function regionParty(region: string): string {
  return `region ${region}`;
}

/** Replicas that the network has not opened itself are one party, without a number. */
function replicaParty(replica: string): string {
  return `replica ${replica}`;
}
