/** The links of a space to other replicas. */
import { optionsOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { checkSignal } from "../base/wait.js";
import type { Channel } from "./channel.js";
import type { PeerContext } from "./context.js";
import { Meetings } from "./meetings.js";
import { PeerLink } from "./peer-link.js";
import { PortChannel, takePort } from "./port.js";
import type { Rtc } from "./rtc.js";
import type { Invitation, InviteOptions, JoinOptions, LinkInfo, PeerOptions } from "./types.js";

export class Peers {
  readonly #context: PeerContext;
  readonly #links = new Set<PeerLink>();
  readonly #meetings: Meetings;
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
    this.#meetings = new Meetings({
      space,
      iceServers: options?.iceServers ?? [],
      rtc: rtc ?? globalRtc,
      link: (channel, isReader) => void this.#link(channel, isReader),
    });
  }

  /** Why one of the replicas that are connected can't be linked. */
  get error(): EyotError | undefined {
    for (const { channel, refused } of this.#links) {
      if (channel.via === "port" && refused !== undefined) return refused;
    }
    return this.#met?.refused;
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
    this.#meetings.end();
    for (const link of this.#links) link.end();
  }

  /** `read` where all who are linked take nothing from this replica. Without links nobody has said so. */
  #ownRight(): "read" | "write" {
    const links = this.#context.run((engine) => engine.links());
    return links.length > 0 && links.every(({ readsOnly }) => readsOnly) ? "read" : "write";
  }

  #link(channel: Channel, isReader: boolean): PeerLink {
    const link: PeerLink = new PeerLink(this.#context, channel, isReader, () => {
      this.#links.delete(link);
      if (link.refused !== undefined) this.#context.changed();
    });
    if (channel.via === "webrtc") this.#met = link;
    this.#links.add(link);
    link.start();
    return link;
  }
}

async function globalRtc(): Promise<Rtc> {
  if (typeof RTCPeerConnection === "undefined") throw new EyotError("unavailable", "this platform has no WebRTC");
  return RTCPeerConnection;
}
