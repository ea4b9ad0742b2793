/** What `links()` says of a link. */

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
