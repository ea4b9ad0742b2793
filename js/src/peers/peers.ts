/** The links of a space to other replicas. */
import { optionsOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { checkSignal } from "../base/wait.js";
import type { Channel } from "./channel.js";
import type { PeerContext } from "./context.js";
import { Meetings } from "./meetings.js";
import { Mesh } from "./mesh.js";
import { PeerLink, type Passing } from "./peer-link.js";
import { PortChannel, takePort } from "./port.js";
import { isReceipt } from "./receipt.js";
import { RelayKeys } from "./relay-keys.js";
import type { Rtc } from "./rtc.js";
import type { Invitation, InviteOptions, JoinOptions, LinkInfo, PeerOptions } from "./types.js";

/** How many links are made by themselves, unless the application says otherwise. */
const MAX_PEERS = 6;
/** How long such a link outlives its ticket: relays may be gone for so long. */
const GRACE_MS = 24 * 60 * 60_000;

export class Peers {
  readonly #context: PeerContext;
  readonly #links = new Set<PeerLink>();
  readonly #meetings: Meetings;
  /** The links that are made by themselves, where they are wanted. */
  readonly #mesh: Mesh | undefined;
  readonly #keys: RelayKeys;
  readonly #end = new AbortController();
  /** The link to the replica that was met last. It is remembered for why there can be none. */
  #met: PeerLink | undefined;

  /** `rtc` finds the WebRTC of the platform. */
  constructor(
    context: PeerContext,
    space: string,
    options: PeerOptions | undefined,
    rtc: (() => Promise<Rtc>) | undefined,
  ) {
    this.#context = context;
    this.#keys = new RelayKeys(() => context.relays, this.#end.signal);
    this.#meetings = new Meetings({
      space,
      iceServers: options?.iceServers ?? [],
      rtc: rtc ?? globalRtc,
      link: (channel, isReader) => {
        this.#met = this.#link(channel, isReader);
      },
    });
    const { iceServers = [], maxPeers = MAX_PEERS } = options ?? { maxPeers: 0 };
    if (maxPeers === 0) return;
    this.#mesh = new Mesh({
      space,
      iceServers,
      maxPeers,
      graceMs: GRACE_MS,
      get isUsable() {
        return context.isUsable;
      },
      run: (fn) => context.run(fn),
      changed: () => context.changed(),
      rtc: rtc ?? globalRtc,
      isRelays: (bytes, signature) => this.#keys.isRelays(bytes, signature),
      hasRelay: () => context.run((engine) => engine.links()).some(({ region }) => region !== undefined),
      link: (channel, isReader, over, passing) => this.#link(channel, isReader, over, passing),
    });
  }

  /** The engine can be called from now on. */
  start(): void {
    void this.#mesh?.start();
  }

  /** This device may be in another network. */
  networkChanged(): void {
    this.#mesh?.networkChanged();
  }

  /** A relay tells of another replica. */
  introduced(key: Uint8Array, region: string, ticket: Uint8Array): void {
    this.#mesh?.introduced(key, region, ticket);
  }

  /** Another replica says something by way of relays. */
  signalled(key: Uint8Array, region: string, bytes: Uint8Array): void {
    this.#mesh?.signalled(key, region, bytes);
  }

  /** A relay says by way of other replicas what its region has stored. */
  receipt(bytes: Uint8Array): void {
    void isReceipt(bytes, this.#keys).then((isGood) => {
      if (isGood && this.#context.isUsable) this.#context.run((engine) => engine.takeReceipt(bytes));
    });
  }

  /** Why one of the replicas that are connected can't be linked. */
  get error(): EyotError | undefined {
    for (const { channel, refused } of this.#links) {
      if (channel.via === "port" && refused !== undefined) return refused;
    }
    return this.#met?.refused ?? this.#mesh?.error;
  }

  connect(given: unknown): () => void {
    const port = takePort(given);
    const link = this.#link(new PortChannel(port), false);
    return () => link.end();
  }

  async invite(given: unknown): Promise<Invitation> {
    const options = optionsOf<InviteOptions>("invite()", given, ["right", "signal"]);
    const own = this.#ownRight();
    const { right = own, signal } = options;
    if (right !== "read" && right !== "write") throw invalid('the right of an invitation is "read" or "write"');
    checkSignal(signal);
    if (right === "write" && own === "read") {
      throw new EyotError("denied", "this replica may only read, and can invite to nothing else");
    }
    return this.#meetings.invite(right, signal);
  }

  async join(invitation: string, given: unknown): Promise<{ answer: string }> {
    const { signal } = optionsOf<JoinOptions>("join()", given, ["signal"]);
    checkSignal(signal);
    return this.#meetings.join(invitation, signal);
  }

  list(): readonly LinkInfo[] {
    const vias = new Map([...this.#links].map(({ link, channel }) => [link, channel.via]));
    const links = this.#context.run((engine) => engine.links());
    return links.map(({ link, region, readsOnly, isReader, ...measured }): LinkInfo => {
      const rest = { ...measured, right: readsOnly || isReader ? "read" : "write" } as const;
      if (region === undefined) return { to: "replica", via: vias.get(link) ?? "port", ...rest };
      return { to: "relay", region, via: link === undefined ? "tab" : "websocket", ...rest };
    });
  }

  /** Closes all channels, and makes invitations worthless. */
  end(): void {
    this.#end.abort();
    this.#mesh?.end();
    this.#meetings.end();
    for (const link of this.#links) link.end();
  }

  /** `read` where all who are linked take nothing from this replica. Without links nobody has said so. */
  #ownRight(): "read" | "write" {
    const links = this.#context.run((engine) => engine.links());
    return links.length > 0 && links.every(({ readsOnly }) => readsOnly) ? "read" : "write";
  }

  #link(
    channel: Channel,
    isReader: boolean,
    over: (isForGood: boolean) => void = () => undefined,
    passing?: (message: Passing) => void,
  ): PeerLink {
    const ended = (): void => {
      this.#links.delete(link);
      over(link.refused !== undefined);
      if (link.refused !== undefined) this.#context.changed();
    };
    const link: PeerLink = new PeerLink(this.#context, channel, isReader, ended, passing);
    this.#links.add(link);
    // Relays may be gone by the time that one of their keys is needed.
    void this.#keys.prepare();
    link.start();
    return link;
  }
}

async function globalRtc(): Promise<Rtc> {
  if (typeof RTCPeerConnection === "undefined") throw new EyotError("unavailable", "this platform has no WebRTC");
  return RTCPeerConnection;
}
