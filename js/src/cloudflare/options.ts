/** What a Worker says of its relays, and what of that the relays' objects are told. */

import type { RelayCaps } from "../../wasm/eyot_web.js";
import type { Keys } from "./keys.js";

/** What a Worker says of the relays that it serves. */
export interface RelayOptions {
  /** Region of this request. Default: of `regions` the one nearest to where the platform says the client is. */
  region?: (request: Request) => string;
  /**
   * The regions there are, each with a Durable Object for every space; all of them store every commit. Named as the
   * platform's location hints are (`weur`, `enam`, `apac` …), or `eu`, `us`, `ap`, they are placed there. Default:
   * `weur`, `enam`, `apac`; with `region` or `peers`, only the region of the request.
   */
  regions?: readonly string[];
  /** Relays of further regions that run elsewhere, by region: their addresses, as clients use them. */
  peers?: Readonly<Record<string, string>>;
  /** What lets this relay in at those `peers`: a token with `"relay": true` and `write`. */
  peerToken?: string;
  /**
   * What tokens (JWT: EdDSA, ES256 or HS256) are checked with. `"open"`: everybody may read and write every space whose
   * name they know. Without keys a relay serves nobody, except on a loopback address, where it is open.
   */
  keys?: Keys | "open";
  /** The origins whose pages may connect. Default: all. What is no page sends no origin. */
  origins?: readonly string[];
  /** What a space takes at most. Defaults are safe. */
  caps?: Partial<RelayCaps>;
}

/** What an object must know before it serves. It can't see what `routeRelay` was given, so each request brings it. */
export interface Setup {
  space: string;
  region: string;
  keys: Keys | "open";
  /** The other regions; one without an address is an object of the same namespace. */
  peers: Peer[];
  peerToken?: string;
  caps?: Partial<RelayCaps>;
}

export interface Peer {
  region: string;
  url?: string;
}

/** What a request brings to an object. */
export interface Told {
  setup: Setup;
  /** The region of the relay that asks, if it is one. Believed: whatever comes from outside has this header replaced. */
  from?: string;
}

/** The platform's logs leave out values of headers with such a name. */
const HEADER = "x-eyot-secret";

/** Headers that tell an object these things, whatever was in that place before. */
export function tell(told: Told, headers: Headers = new Headers()): Headers {
  headers.set(HEADER, encodeURIComponent(JSON.stringify(told)));
  return headers;
}

/** What a request tells an object; undefined where it did not come through `routeRelay`. */
export function toldBy(request: Request): Told | undefined {
  const header = request.headers.get(HEADER);
  return header === null ? undefined : (JSON.parse(decodeURIComponent(header)) as Told);
}

/** The name of the object of a space in a region. */
export function objectName(space: string, region: string): string {
  return `${space}\n${region}`;
}

/** The subprotocol that relays speak. */
export const PROTOCOL = "eyot.v1";
