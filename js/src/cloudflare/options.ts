/** The options of `routeRelay`. */

import type { Keys } from "./keys.js";

/** How a Worker's relays are to run. */
export interface RelayOptions {
  /** Region of this request. Default: the one of `regions` that is nearest to where the platform locates the client. */
  region?: (request: Request) => string;
  /**
   * The regions. Each has a Durable Object for every space, and all of them store every commit. Regions named like the
   * platform's location hints (`weur`, `enam`, `apac` …), or `eu`, `us`, `ap`, are placed there. Default: `weur`,
   * `enam`, `apac`; with `region` or `peers`, only the region of the request.
   */
  regions?: readonly string[];
  /** Relays of further regions that run elsewhere: their addresses, as clients use them, by region. */
  peers?: Readonly<Record<string, string>>;
  /** Token that this relay sends to those `peers`. It needs `"relay": true` and the right to `write`. */
  peerToken?: string;
  /**
   * What tokens (JWT: EdDSA, ES256 or HS256) are checked with. `"open"`: everybody may read and write every space whose
   * name they know. Without keys a relay refuses everybody, except on a loopback address, where it is open.
   */
  keys?: Keys | "open";
  /** The origins whose pages may connect. Default: all. Clients that are not pages send no origin and may connect. */
  origins?: readonly string[];
  /** Limits of each space. The defaults are safe. */
  caps?: Partial<RelayCaps>;
}

/** Limits on what the relay of a space takes. A subject is a token's; without tokens, everybody is the same subject. */
export interface RelayCaps {
  /** Commits in bytes a second, 256 added for each commit. What exceeds this waits. */
  connectionBytesPerSecond: number;
  subjectBytesPerSecond: number;
  /** Bytes stored of the space, or of what a subject brought. */
  spaceBytesMax: number;
  subjectBytesMax: number;
  spaceAuthorsMax: number;
  subjectAuthorsMax: number;
  /** Branches of one author's chain. Only a process that was copied while it ran makes some. */
  authorBranchesMax: number;
  spaceConnectionsMax: number;
  subjectConnectionsMax: number;
}
