/**
 * The public types of links. They name nothing of WebRTC, whose types are only in TypeScript's library for browsers.
 */

export interface PeerOptions {
  /**
   * Servers that tell a device how it looks from outside (STUN), or pass on what two devices say that can't reach each
   * other (TURN). Invitations made and answered here use them, too. Default: none, so links stay in the local network.
   */
  iceServers?: readonly IceServer[] | undefined;
  /**
   * How many links this replica has at most that it has not made by `connect`, `invite` or `join`. Default: 6. With 0 it
   * makes none, and no relay is told of it.
   */
  maxPeers?: number | undefined;
}

/** As in `RTCConfiguration`. */
export interface IceServer {
  readonly urls: string | readonly string[];
  readonly username?: string | undefined;
  readonly credential?: string | undefined;
}

/** A link that is up. */
export interface LinkInfo {
  readonly to: "relay" | "replica";
  /** Of a relay. */
  readonly region?: string;
  /** `tab`: another tab of this browser is linked to the relay, for this one too. */
  readonly via: "websocket" | "webrtc" | "port" | "tab";
  /** The last round trip that was measured; 0 before there was one. Asking for it has it measured again. */
  readonly rttMs: number;
  /** The bytes of frames that came and went on this link. Of another tab's link they are not known here: 0. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** `read` where one of both sides may only read. */
  readonly right: "read" | "write";
}

export interface InviteOptions {
  /** What the other replica may do here. Default: what this one may do. */
  right?: "read" | "write" | undefined;
  /** Ends the making of the invitation. */
  signal?: AbortSignal | undefined;
}

export interface JoinOptions {
  /** Ends the making of the answer. */
  signal?: AbortSignal | undefined;
}

export interface Invitation {
  /** What the other person gets, as it is or as a QR code. */
  readonly text: string;
  /**
   * Takes the answer that the other person's `join()` gave. Resolves once both are connected. An invitation is good for
   * one answer; `expired`, `closed` (cancelled, or the space is) and `denied` (used) say that it is good no more.
   */
  accept(answer: string): Promise<void>;
  /** Makes the invitation worthless. A link that came of it stays. */
  cancel(): void;
}
