/** The relays of all spaces of one process: loaded when somebody comes, and dropped when nobody is there. */
import { admit } from "../access/admission.js";
import type { Keys } from "../access/keys.js";
import { Refused } from "../access/refused.js";
import { signTicket, TICKET_KEY } from "../access/ticket-key.js";
import { CLOSE_DENIED, CLOSE_GOING_AWAY, CLOSE_STORAGE } from "../base/close-codes.js";
import { messageOf } from "../base/error.js";
import { type ChangesAnswer, ChangesFeed, type ChangesQuery, refusedBy } from "../host/changes.js";
import { failInstance, type RelayClaims, startInstance } from "../host/instance.js";
import { counters } from "../host/metrics.js";
import { HostedRelay, type HostSocket, type RelayHost } from "../host/relay.js";
import type { Peer } from "./flags.js";
import { dialRelay } from "./sockets.js";
import type { Stores } from "./store.js";

/** How long the relay of a space stays in memory while nobody is there. */
const IDLE_MS = 10_000;

export interface SpacesOptions {
  module: WebAssembly.Module;
  region: string;
  peers: readonly Peer[];
  /** What lets this relay in at those. Read each time, because tokens expire. */
  peerToken: () => string | undefined;
  keys: () => Keys | "open";
  /** A private Ed25519 key, as JWK. */
  ticketKey: string;
}

export class Spaces implements RelayHost {
  readonly module: WebAssembly.Module;
  readonly #options: SpacesOptions;
  readonly #stores: Stores;
  readonly #changes = new ChangesFeed();
  readonly #relays = new Map<string, HostedRelay>();
  /** Those that were idle when it was looked last. */
  #idle = new Set<HostedRelay>();
  readonly #sweep: ReturnType<typeof setInterval>;

  constructor(options: SpacesOptions, stores: Stores) {
    this.module = options.module;
    this.#options = options;
    this.#stores = stores;
    this.#sweep = setInterval(() => this.#dropIdle(), IDLE_MS).unref();
  }

  /** Takes up a connection. */
  accept(socket: HostSocket, space: string): void {
    counters.accepted += 1;
    const relay = this.#relay(space);
    if (relay === undefined) socket.close(CLOSE_STORAGE, "the relay can't read its storage");
    else relay.accept(socket);
  }

  /** A page of what is stored, for whoever has a good token. */
  async changes(space: string, token: string | undefined, query: ChangesQuery): Promise<ChangesAnswer> {
    let claims: RelayClaims;
    try {
      claims = await this.admit(token, space);
    } catch (error) {
      if (error instanceof Refused) return refusedBy(error);
      throw error;
    }
    // It is read at that very moment: a turn later something may be written that is not on disk.
    return new Promise((resolve, reject) =>
      this.#stores.whenDurable(() => {
        const instance = startInstance(this.module);
        try {
          resolve(this.#changes.answer(this.#stores.store(space), space, claims, query, Date.now()));
        } catch (error) {
          failInstance(instance);
          reject(error as Error);
        }
      }),
    );
  }

  /** What is here goes to other regions that lack it. */
  resume(): void {
    if (this.#options.peers.length > 0) for (const space of this.#stores.spaces()) this.#relay(space);
  }

  end(code: number, reason: string): void {
    clearInterval(this.#sweep);
    for (const relay of this.#relays.values()) relay.end(code, reason);
    this.#relays.clear();
  }

  get count(): number {
    return this.#relays.size;
  }

  #relay(space: string): HostedRelay | undefined {
    const running = this.#relays.get(space);
    if (running !== undefined) return running;
    const { region, peers, peerToken } = this.#options;
    const seed = crypto.getRandomValues(new Uint8Array(32));
    const settings = { space, region, peers: [...peers], token: peerToken(), seed, store: this.#stores.store(space) };
    try {
      const relay = new HostedRelay(settings, this);
      this.#relays.set(space, relay);
      counters.loaded += 1;
      return relay;
    } catch (error) {
      console.error(`eyot: the relay of a space can't be loaded: ${messageOf(error)}`);
      return undefined;
    }
  }

  #dropIdle(): void {
    const idle = new Set([...this.#relays.values()].filter((relay) => relay.isIdle));
    for (const relay of idle) {
      if (!this.#idle.has(relay)) continue;
      relay.end(CLOSE_GOING_AWAY, "");
      this.#relays.delete(relay.space);
    }
    this.#idle = idle;
  }

  // What a relay asks of its host.

  afterWrites(then: () => void): void {
    this.#stores.afterWrites(then);
  }

  async admit(token: string | undefined, space: string): Promise<RelayClaims> {
    const { keys, peers } = this.#options;
    const now = keys();
    if (now !== "open" && token === undefined) throw new Refused(CLOSE_DENIED, "a token is needed");
    return (await admit(token, space, now, peers.length > 0)).claims;
  }

  async dial(url: string, space: string): Promise<HostSocket> {
    try {
      const socket = await dialRelay(url, space, this.#options.peerToken());
      counters.regionLinksOpened += 1;
      return socket;
    } catch (error) {
      counters.regionLinksFailed += 1;
      throw error;
    }
  }

  sign(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return signTicket({ [TICKET_KEY]: this.#options.ticketKey }, bytes);
  }

  failed(relay: HostedRelay, message: string): void {
    if (this.#relays.get(relay.space) === relay) this.#relays.delete(relay.space);
    console.error(`eyot: the relay of a space has failed: ${message}`);
  }
}
