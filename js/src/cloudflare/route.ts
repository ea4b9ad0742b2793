/** Routes a Worker's requests to its relays: answers them, or passes them on to the object of a space in a region. */

import { admit, type Authorize, PROTOCOL, protocolsOf, tokenOffered } from "../access/admission.js";
import type { Keys } from "../access/keys.js";
import type { TokenClaims } from "../access/token.js";
import { Refused } from "../access/refused.js";
import { readQuery, refusedBy } from "../host/changes.js";
import { counters, metrics } from "../host/metrics.js";
import { relayObject } from "./object.js";
import { checkOptions, isRegion, type RelayOptions } from "./options.js";
import { type ClientPlace, defaultRegions, isWithin, nearest } from "./place.js";
import { refuse } from "./refusal.js";
import { bearer, judge } from "./renewal.js";
import { type Peer, type Setup, tell } from "./setup.js";
import { publishedKeys } from "../access/ticket-key.js";

const NAME_BYTES_MAX = 256;

/**
 * Answers a request to one of a relay's addresses. Resolves with undefined for any other request, so that you can answer
 * it yourself.
 *
 * `GET /v1/SPACE` (WebSocket), `GET /v1/SPACE/token`, `GET /v1/SPACE/changes`, `GET /health`, `GET /metrics`, `GET /v1/regions`, `GET /v1/keys`. `/at/REGION`
 * before any of them names the region.
 */
export async function routeRelay(
  request: Request,
  env: unknown,
  options: RelayOptions = {},
): Promise<Response | undefined> {
  const url = new URL(request.url);
  const [, at, path] = /^(?:\/at\/([^/]+))?(\/.*)$/.exec(url.pathname) ?? [];
  const route = readRoute(path ?? "", isUpgrade(request));
  if (route === undefined) return undefined;
  if (request.method !== "GET") return text(405, "only GET is answered here", { allow: "GET" });
  checkOptions(options);
  const { keys } = options;
  if (keys === undefined) return text(503, NO_KEYS);
  const origin = request.headers.get("origin");
  if (origin !== null && options.origins !== undefined && !options.origins.includes(origin)) {
    counters.originsRefused += 1;
    return text(403, "this origin may not use this relay");
  }
  const regions = regionsOf(options);
  const named = regions.find((name) => encodeURIComponent(name) === at);
  if (at !== undefined && named === undefined) return text(404, "there is no such region here");
  const region = named ?? regionOf(request, regions, options);
  const cors = { "access-control-allow-origin": origin ?? "*", vary: "origin" };
  switch (route.kind) {
    case "health":
      return Response.json({ status: "ok", region }, { headers: { ...cors, "cache-control": "no-store" } });
    case "regions":
      return Response.json(relayList(url, region, regions, options), { headers: cors });
    case "keys":
      return Response.json(publishedKeys(env), { headers: cors });
    case "metrics":
      return text(200, metrics(), { "content-type": "text/plain; version=0.0.4" });
    case "space":
    case "token":
    case "changes":
      if (route.space === undefined) return text(400, `a space has a name of at most ${NAME_BYTES_MAX} bytes`);
      const authorize = options.authorize && ((claims: TokenClaims) => options.authorize!(request, claims));
      if (route.kind === "token") return judge(request, route.space, keys, hasPeers(options), authorize);
      if (route.kind === "changes") {
        return changes(request, env, keys, authorize, setupOf(route.space, region, regions, options));
      }
      return connect(request, env, keys, authorize, setupOf(route.space, region, regions, options));
  }
}

type Route =
  | { kind: "health" | "metrics" | "regions" | "keys" }
  | { kind: "space" | "token" | "changes"; space: string | undefined };

const ROUTES: Readonly<Record<string, Route>> = {
  "/health": { kind: "health" },
  "/metrics": { kind: "metrics" },
  "/v1/regions": { kind: "regions" },
  "/v1/keys": { kind: "keys" },
};

function isUpgrade({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** A space may be named like a page: who wants a WebSocket means the space. */
function readRoute(path: string, isUpgrade: boolean): Route | undefined {
  const [, name, kind = "space"] = /^\/v1\/([^/]+)(?:\/(token|changes))?$/.exec(path) ?? [];
  if (Object.hasOwn(ROUTES, path) && !(isUpgrade && name !== undefined)) return ROUTES[path];
  return name === undefined ? undefined : { kind: kind as "space" | "token" | "changes", space: readSpace(name) };
}

/** Decodes the name of a space in a URL; undefined if it is malformed or too long. */
function readSpace(encoded: string): string | undefined {
  try {
    const space = decodeURIComponent(encoded);
    return new TextEncoder().encode(space).length <= NAME_BYTES_MAX ? space : undefined;
  } catch {
    return undefined;
  }
}

const NO_KEYS = 'this relay was given no keys to check tokens with, nor told to be open (`keys: "open"`)';
function hasPeers({ peers = {} }: RelayOptions): boolean {
  return Object.keys(peers).length > 0;
}

/** The regions that have objects here. Empty: any region that `region` returns has one. */
export function regionsOf({ regions, region, jurisdiction, peers }: RelayOptions): readonly string[] {
  return regions ?? (region === undefined && peers === undefined ? defaultRegions(jurisdiction) : []);
}

function regionOf(request: Request, regions: readonly string[], { region, jurisdiction }: RelayOptions): string {
  const wanted = region?.(request);
  const isOurs = regions.length === 0 ? isWithin : (name: string) => regions.includes(name);
  if (isRegion(wanted) && isOurs(wanted, jurisdiction)) return wanted;
  const { cf } = request as { cf?: ClientPlace };
  return nearest(regions.length > 0 ? regions : defaultRegions(jurisdiction), cf)!;
}

/** The list of relays that clients fetch: regions with objects here, and `peers`, which have addresses of their own. */
function relayList(
  url: URL,
  region: string,
  regions: readonly string[],
  { peers = {} }: RelayOptions,
): { region: string; url: string }[] {
  const base = `${url.protocol === "https:" ? "wss" : "ws"}://${url.host}`;
  const own = regions.map((name) => ({ region: name, url: `${base}/at/${encodeURIComponent(name)}` }));
  const others = Object.entries(peers).map(([name, url]) => ({ region: name, url }));
  return [...(own.length > 0 ? own : [{ region, url: base }]), ...others];
}

/** What the object of a space in a region is told. */
export function setupOf(space: string, region: string, regions: readonly string[], options: RelayOptions): Setup {
  const { peers = {}, caps, binding, jurisdiction } = options;
  const elsewhere: Peer[] = Object.entries(peers).map(([name, url]) => ({ region: name, url }));
  const here: Peer[] = regions.filter((name) => !Object.hasOwn(peers, name)).map((name) => ({ region: name }));
  const others = [...here, ...elsewhere].filter((peer) => peer.region !== region);
  const place = { ...(binding !== undefined && { binding }), ...(jurisdiction && { jurisdiction }) };
  return { space, region, peers: others, ...(caps && { caps }), ...place };
}

/** Passes a WebSocket request on to the object of the space, once it is known who comes. */
async function connect(
  request: Request,
  env: unknown,
  keys: Keys | "open",
  authorize: Authorize | undefined,
  setup: Setup,
): Promise<Response> {
  if (!isUpgrade(request)) {
    return text(426, "a space is spoken to over WebSocket", { upgrade: "websocket", connection: "upgrade" });
  }
  const protocols = protocolsOf(request);
  if (!protocols.includes(PROTOCOL)) return text(400, `the subprotocol ${PROTOCOL} must be asked for`);
  try {
    const comer = await admit(
      tokenOffered(protocols),
      setup.space,
      keys,
      setup.peers.some(({ url }) => url !== undefined),
      authorize,
    );
    const headers = new Headers(request.headers);
    // The object needs no copy of the token.
    headers.set("sec-websocket-protocol", PROTOCOL);
    const relay = relayObject(env, setup);
    return await relay.fetch(new Request(request, { headers: tell({ setup, comer }, headers) }));
  } catch (error) {
    if (error instanceof Refused) return refuse(error);
    throw error;
  }
}

/** Asks the object of the space for a page of what is stored, once it is known who asks. */
async function changes(
  request: Request,
  env: unknown,
  keys: Keys | "open",
  authorize: Authorize | undefined,
  setup: Setup,
): Promise<Response> {
  const query = readQuery(new URL(request.url).searchParams);
  if ("status" in query) return new Response(query.body, query);
  try {
    const comer = await admit(bearer(request), setup.space, keys, false, authorize);
    // Of the request the object needs nothing else.
    return await relayObject(env, setup).fetch(
      new Request(request.url, { headers: tell({ setup, comer, changes: query }) }),
    );
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const answer = refusedBy(error);
    return new Response(answer.body, answer);
  }
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(`${body}\n`, { status, headers });
}
