/** The Worker that `wrangler deploy` puts on Cloudflare and `serve.mjs` runs on one machine. */

import { type RelayOptions, routeRelay, SpaceRelay } from "eyot/cloudflare";

export { SpaceRelay };

/** Lists are separated by spaces or commas. */
interface Env {
  /** What tokens are checked with: a JWK, several, a JWKS, or the URL of one. */
  JWT_KEYS?: string;
  /** Instead of keys: what tokens are signed with by HS256. */
  JWT_SECRET?: string;
  /** Instead of either: `open`. Without any of them nobody is served, except on a loopback address. */
  AUTH?: string;
  /** The origins whose pages may connect. Default: all. */
  ORIGINS?: string;
  /** The regions there are. Default: `weur enam apac`. */
  REGIONS?: string;
  /** The region of a relay that runs on one machine. On Cloudflare the platform knows it. */
  REGION?: string;
  /** Relays of other regions that run elsewhere: `us=wss://us.example ap=wss://ap.example`. */
  PEERS?: string;
  /** What lets this relay in at those. */
  PEER_TOKEN?: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const answer = await routeRelay(request, env, options(env));
    return answer ?? new Response("there is nothing here\n", { status: 404 });
  },
};

function options(env: Env): RelayOptions {
  const { REGION: region, PEER_TOKEN: peerToken } = env;
  return {
    ...(region !== undefined && { region: () => region }),
    ...(env.REGIONS !== undefined && { regions: list(env.REGIONS) }),
    ...(env.PEERS !== undefined && { peers: peers(env.PEERS) }),
    ...(peerToken !== undefined && { peerToken }),
    ...(env.ORIGINS !== undefined && { origins: list(env.ORIGINS) }),
    ...keys(env),
  };
}

function keys({ JWT_KEYS, JWT_SECRET, AUTH }: Env): Pick<RelayOptions, "keys"> {
  const said = [JWT_KEYS, JWT_SECRET, AUTH].filter((value) => value !== undefined);
  if (said.length > 1) throw new TypeError("only one of JWT_KEYS, JWT_SECRET and AUTH can be");
  if (JWT_SECRET !== undefined) return { keys: { secret: JWT_SECRET } };
  if (JWT_KEYS !== undefined) return { keys: /^https?:/.test(JWT_KEYS) ? { jwks: JWT_KEYS } : JSON.parse(JWT_KEYS) };
  if (AUTH === undefined) return {};
  if (AUTH === "open") return { keys: AUTH };
  throw new TypeError("AUTH can only be `open`");
}

function peers(text: string): Record<string, string> {
  const entries = list(text).map((entry) => {
    const [, region, url] = /^([^=]+)=(wss?:.+)$/.exec(entry) ?? [];
    if (region === undefined || url === undefined) throw new TypeError(`PEERS has ${entry}, which is not REGION=URL`);
    return [region, url] as const;
  });
  return Object.fromEntries(entries);
}

function list(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== "");
}
