/** The relays of one region of a test's network: one for each space, over stores in memory. */
import { admit, trusted, type Comer } from "../access/admission.js";
import type { Keys } from "../access/keys.js";
import { CLOSE_GOING_AWAY } from "../base/close-codes.js";
import type { RelayClaims } from "../host/instance.js";
import { MemoryStore } from "../host/memory-store.js";
import { HostedRelay, type HostSocket, type RelayHost } from "../host/relay.js";

export interface RegionContext {
  readonly module: WebAssembly.Module;
  readonly regions: readonly string[];
  readonly keys: Keys | "open";
  /** 32 bytes for the chance of a relay. */
  seed(): Uint8Array;
  /** Connects two regions. Rejects where they can't reach each other. */
  dial(from: string, to: string, space: string): Promise<HostSocket>;
}

export class Region implements RelayHost {
  readonly module: WebAssembly.Module;
  readonly #relays = new Map<string, HostedRelay>();
  readonly #stores = new Map<string, MemoryStore>();

  constructor(
    readonly name: string,
    readonly context: RegionContext,
  ) {
    this.module = context.module;
  }

  accept(socket: HostSocket, space: string, comer?: Comer): void {
    this.#relay(space).accept(socket, comer);
  }

  /** Loses its memory. */
  end(): void {
    for (const relay of this.#relays.values()) relay.end(CLOSE_GOING_AWAY, "the relay was killed");
    this.#relays.clear();
  }

  /** Loses what it has stored, too. */
  wipe(): void {
    this.end();
    this.#stores.clear();
  }

  /** The spaces that are here go on, each once it is stored. */
  resume(): void {
    for (const space of this.#stores.keys()) this.#relay(space);
  }

  #relay(space: string): HostedRelay {
    const running = this.#relays.get(space);
    if (running !== undefined) return running;
    const { context, name: region } = this;
    const store = this.#stores.get(space) ?? new MemoryStore();
    this.#stores.set(space, store);
    const peers = context.regions.filter((name) => name !== region).map((name) => ({ region: name, url: name }));
    const relay = new HostedRelay({ space, region, peers, seed: context.seed(), store }, this);
    this.#relays.set(space, relay);
    return relay;
  }

  // What a relay asks of its host.

  afterWrites(then: () => void): void {
    then();
  }

  async admit(token: string | undefined, space: string): Promise<RelayClaims> {
    return (await admit(token, space, this.context.keys, false)).claims;
  }

  dial(url: string, space: string): Promise<HostSocket> {
    return this.context.dial(this.name, url, space);
  }

  async sign(): Promise<undefined> {
    return undefined;
  }

  failed(relay: HostedRelay, message: string): void {
    if (this.#relays.get(relay.space) === relay) this.#relays.delete(relay.space);
    console.error(`eyot/testing: the relay of ${relay.space} in ${this.name} has failed: ${message}`);
  }

  /** Whoever comes from another region of the network. */
  static comer(from: string): Comer {
    return { claims: trusted(`relay ${from}`) };
  }
}
