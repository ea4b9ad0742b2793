/** The options of `routeRelay`. */

import { checkKeys, type Keys } from "../access/keys.js";
import { isJurisdiction, isWithin, type Jurisdiction } from "./place.js";

/** The same as in the protocol. */
const REGION_BYTES_MAX = 48;
const REGIONS_MAX = 64;

/** How a Worker's relays are to run. */
export interface RelayOptions {
  /** Region of this request. Default: the one of `regions` that is nearest to where the platform locates the client. */
  region?: (request: Request) => string;
  /**
   * The regions. Each has a Durable Object for every space, and all of them store every commit. Regions named like the
   * platform's location hints (`weur`, `enam`, `apac` …), or `eu`, `us`, `ap`, are placed there. Default: `weur`,
   * `enam`, `apac`, or those of the jurisdiction; with `region` or `peers`, only the region of the request.
   */
  regions?: readonly string[];
  /**
   * Relays run and store only there: `eu` in `weur` and `eeur`, `fedramp` in `enam` and `wnam`. Relays of another
   * jurisdiction, or of none, are other ones: where this changes they begin empty, and replicas bring what they hold.
   * `peers` are where they are.
   */
  jurisdiction?: Jurisdiction;
  /** Name of the Durable Object binding of `SpaceRelay`. Default: `SPACE_RELAY`. */
  binding?: string;
  /**
   * Relays of further regions that run elsewhere: their addresses, as clients use them, by region. The token for them is
   * the Worker's secret `PEER_TOKEN`. It needs `"relay": true` and the right to `write`.
   */
  peers?: Readonly<Record<string, string>>;
  /**
   * What tokens (JWT: EdDSA, ES256 or HS256) are checked with. `"open"`: everybody may read and write every space whose
   * name they know. Without keys a relay refuses everybody.
   */
  keys?: Keys | "open";
  /**
   * The last word on who may come in. It is given what a verified token says (with `keys: "open"` nothing) and returns what
   * counts: `sub`, `spaces`, `exp`, `relay`, as in a token. `exp` can't be later than the token's. Whatever it throws refuses
   * with `denied`. It is called for each connection, and for each fresh token that comes over one: that request has the token
   * in `authorization`, and nothing else of the client's.
   */
  authorize?: (
    request: Request,
    claims: Readonly<Record<string, unknown>>,
  ) => Record<string, unknown> | Promise<Record<string, unknown>>;
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
  /** Bytes read from storage a second: of the log, for answers and to compare. What exceeds this waits. */
  connectionReadsPerSecond: number;
  subjectReadsPerSecond: number;
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

const CAPS: readonly string[] = [
  "connectionBytesPerSecond",
  "subjectBytesPerSecond",
  "connectionReadsPerSecond",
  "subjectReadsPerSecond",
  "spaceBytesMax",
  "subjectBytesMax",
  "spaceAuthorsMax",
  "subjectAuthorsMax",
  "spaceConnectionsMax",
  "subjectConnectionsMax",
] satisfies (keyof RelayCaps)[];

/** Throws a `TypeError` if the options can't be meant, so that a mistake shows at the first request. */
export function checkOptions({ keys, authorize, regions, jurisdiction, binding, peers, caps }: RelayOptions): void {
  if (keys !== undefined && keys !== "open") checkKeys(keys);
  if (authorize !== undefined && typeof authorize !== "function") throw wrong("authorize is a function");
  const names = [...(regions ?? []), ...Object.keys(peers ?? {})];
  if (regions?.length === 0) throw wrong("regions: there is none");
  if (names.length > REGIONS_MAX) throw wrong(`regions: there are more than ${REGIONS_MAX}`);
  for (const name of names) {
    if (!isRegion(name)) throw wrong(`regions: a region has a name of 1 to ${REGION_BYTES_MAX} bytes`);
  }
  if (jurisdiction !== undefined && !isJurisdiction(jurisdiction)) throw wrong("jurisdiction is eu or fedramp");
  const outside = regions?.find((name) => !isWithin(name, jurisdiction));
  if (outside !== undefined) throw wrong(`regions: ${outside} is not in the jurisdiction ${jurisdiction}`);
  if (binding !== undefined && (typeof binding !== "string" || binding === "")) {
    throw wrong("binding is the name of a Durable Object binding");
  }
  for (const [region, url] of Object.entries(peers ?? {})) {
    // The address is not shown, because it may have a password.
    if (!isAddress(url)) {
      throw wrong(`peers: the address of ${region} is ws://… or wss://…, without credentials, query and fragment`);
    }
  }
  for (const [name, cap] of Object.entries(caps ?? {})) {
    if (!CAPS.includes(name)) throw wrong(`caps: there is no ${name}`);
    if (typeof cap !== "number" || !(cap >= 0)) throw wrong(`caps: ${name} is a number, 0 or more`);
  }
}

export function isRegion(name: unknown): name is string {
  if (typeof name !== "string" || name === "") return false;
  return new TextEncoder().encode(name).length <= REGION_BYTES_MAX;
}

/** The list of relays shows these addresses to everybody. */
function isAddress(url: unknown): boolean {
  if (typeof url !== "string" || !/^wss?:\/\/[^\s?#@]+$/i.test(url)) return false;
  try {
    return new URL(url).host !== "";
  } catch {
    return false;
  }
}

function wrong(message: string): TypeError {
  return new TypeError(`eyot: ${message}`);
}
