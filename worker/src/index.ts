/** The Worker that `wrangler deploy` puts on Cloudflare and `serve.mjs` runs on one machine. */

import { type Keys, type RelayOptions, routeRelay, SpaceRelay } from "eyot/cloudflare";

export { SpaceRelay };

/** Lists are separated by spaces or commas. */
interface Env {
  /** What tokens are checked with: a JWK, several, a JWKS, or the URL of one. */
  JWT_KEYS?: string;
  /** Instead of keys: what tokens are signed with by HS256. */
  JWT_SECRET?: string;
  /** Instead of either: `open`. Without any of them nobody is served. */
  AUTH?: string;
  /** The origins whose pages may connect. Default: all. */
  ORIGINS?: string;
  /** The regions there are. Default: `weur enam apac`. */
  REGIONS?: string;
  /** Where the objects run and store: `eu` or `fedramp`. Default: anywhere. */
  JURISDICTION?: NonNullable<RelayOptions["jurisdiction"]>;
  /** The region of a relay that runs on one machine. On Cloudflare the platform knows it. */
  REGION?: string;
  /** Relays of other regions that run elsewhere: `us=wss://us.example ap=wss://ap.example`. */
  PEERS?: string;
  /** What lets this relay in at those. `SpaceRelay` reads it. */
  PEER_TOKEN?: string;
  /** The private Ed25519 key, as JWK, that signs tickets for direct links. `SpaceRelay` reads it. */
  TICKET_KEY?: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    try {
      const answer = await routeRelay(request, env, options(env));
      return answer ?? new Response("there is nothing here\n", { status: 404 });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // Whoever asks is told nothing of the variables.
      console.error(error.message);
      return new Response("this relay is not set up as it should be; its log says why\n", { status: 500 });
    }
  },
};

function options(env: Env): RelayOptions {
  const { REGION: region } = env;
  return {
    ...(region !== undefined && { region: () => region }),
    ...(env.REGIONS !== undefined && { regions: list(env.REGIONS) }),
    // `routeRelay` refuses what is none.
    ...(env.JURISDICTION !== undefined && { jurisdiction: env.JURISDICTION }),
    ...(env.PEERS !== undefined && { peers: peers(env.PEERS) }),
    ...(env.ORIGINS !== undefined && { origins: list(env.ORIGINS) }),
    ...keys(env),
  };
}

function keys({ JWT_KEYS, JWT_SECRET, AUTH }: Env): Pick<RelayOptions, "keys"> {
  const said = [JWT_KEYS, JWT_SECRET, AUTH].filter((value) => value !== undefined);
  if (said.length > 1) throw new TypeError("only one of JWT_KEYS, JWT_SECRET and AUTH can be");
  if (JWT_SECRET !== undefined) return { keys: { secret: JWT_SECRET } };
  if (JWT_KEYS !== undefined) return { keys: /^https?:/.test(JWT_KEYS) ? { jwks: JWT_KEYS } : parsed(JWT_KEYS) };
  if (AUTH === undefined) return {};
  if (AUTH === "open") return { keys: AUTH };
  throw new TypeError("AUTH can only be `open`");
}

function parsed(keys: string): Keys {
  try {
    return JSON.parse(keys) as Keys;
  } catch {
    throw new TypeError("JWT_KEYS is neither JSON nor the URL of a JWKS");
  }
}

function peers(text: string): Record<string, string> {
  const entries = list(text).map((entry) => {
    const [, region, url] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    if (region === undefined || url === undefined) throw new TypeError("PEERS has an entry that is not REGION=URL");
    return [region, url] as const;
  });
  return Object.fromEntries(entries);
}

function list(text: string): string[] {
  return text.split(/[\s,]+/).filter((item) => item !== "");
}
