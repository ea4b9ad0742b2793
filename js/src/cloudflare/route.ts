/** Routes a Worker's requests to its relays: answers them, or passes them on to the object of a space in a region. */

import { checkKeys, type Keys } from "./keys.js";
import { counters, metrics } from "./metrics.js";
import { PROTOCOL, relayObject } from "./object.js";
import type { RelayOptions } from "./options.js";
import { type ClientPlace, nearest, REGIONS_DEFAULT } from "./place.js";
import { type Peer, type Setup, tell } from "./setup.js";

const NAME_BYTES_MAX = 256;

/**
 * Answers a request to one of a relay's addresses. Resolves with undefined for any other request, so that you can answer
 * it yourself.
 *
 * `GET /v1/SPACE` (WebSocket), `GET /health`, `GET /metrics`, `GET /v1/regions`. `/at/REGION` before
 * any of them names the region.
 */
export async function routeRelay(
  request: Request,
  env: unknown,
  options: RelayOptions = {},
): Promise<Response | undefined> {
  const url = new URL(request.url);
  const [, at, path] = /^(?:\/at\/([^/]+))?(\/.*)$/.exec(url.pathname) ?? [];
  const route = readRoute(path ?? "");
  if (route === undefined) return undefined;
  if (request.method !== "GET") return text(405, "only GET is answered here", { allow: "GET" });
  const keys = options.keys ?? openIfLoopback(url.hostname);
  if (keys === undefined) return text(503, NO_KEYS);
  if (keys !== "open") checkKeys(keys);
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
    case "metrics":
      return text(200, metrics(), { "content-type": "text/plain; version=0.0.4" });
    case "space":
      if (route.space === undefined) return text(400, `a space has a name of at most ${NAME_BYTES_MAX} bytes`);
      return connect(request, env, setupOf(route.space, region, keys, regions, options));
  }
}

type Route = { kind: "health" | "metrics" | "regions" } | { kind: "space"; space: string | undefined };

const ROUTES: Readonly<Record<string, Route>> = {
  "/health": { kind: "health" },
  "/metrics": { kind: "metrics" },
  "/v1/regions": { kind: "regions" },
};

function readRoute(path: string): Route | undefined {
  const name = /^\/v1\/([^/]+)$/.exec(path)?.[1];
  return ROUTES[path] ?? (name === undefined ? undefined : { kind: "space", space: readSpace(name) });
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
const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
let hasWarned = false;

/** Without keys, a relay is open on a loopback address and refuses everybody on any other. */
function openIfLoopback(hostname: string): "open" | undefined {
  if (!LOOPBACK.includes(hostname)) return undefined;
  if (!hasWarned) console.warn("eyot: without keys this relay is open: whoever reaches it may read and write");
  hasWarned = true;
  return "open";
}

/** The regions that have objects here. Empty: any region that `region` returns has one. */
function regionsOf({ regions, region, peers }: RelayOptions): readonly string[] {
  return regions ?? (region === undefined && peers === undefined ? REGIONS_DEFAULT : []);
}

function regionOf(request: Request, regions: readonly string[], { region }: RelayOptions): string {
  const wanted = region?.(request);
  if (wanted !== undefined && (regions.length === 0 || regions.includes(wanted))) return wanted;
  const { cf } = request as { cf?: ClientPlace };
  return nearest(regions.length > 0 ? regions : REGIONS_DEFAULT, cf) ?? "weur";
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
function setupOf(
  space: string,
  region: string,
  keys: Keys | "open",
  regions: readonly string[],
  { peers = {}, peerToken, caps }: RelayOptions,
): Setup {
  const elsewhere: Peer[] = Object.entries(peers).map(([name, url]) => ({ region: name, url }));
  const here: Peer[] = regions.filter((name) => !Object.hasOwn(peers, name)).map((name) => ({ region: name }));
  const others = [...here, ...elsewhere].filter((peer) => peer.region !== region);
  return { space, region, keys, peers: others, peerToken, caps };
}

/** Passes a WebSocket request on to the object of the space. */
function connect(request: Request, env: unknown, setup: Setup): Response | Promise<Response> {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return text(426, "a space is spoken to over WebSocket", { upgrade: "websocket", connection: "upgrade" });
  }
  const protocols = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
  if (!protocols.some((protocol) => protocol.trim() === PROTOCOL)) {
    return text(400, `the subprotocol ${PROTOCOL} must be asked for`);
  }
  const relay = relayObject(env, setup.space, setup.region);
  return relay.fetch(new Request(request, { headers: tell({ setup }, new Headers(request.headers)) }));
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(`${body}\n`, { status, headers });
}
