/** A relay as a Cloudflare Worker: a Durable Object for each space and region. */
export type { Keys } from "../access/keys.js";
export type { RelayCaps, RelayOptions } from "../cloudflare/options.js";
export { SpaceRelay } from "../cloudflare/relay.js";
export { revoke, type Revocation } from "../cloudflare/revoke.js";
export { routeRelay } from "../cloudflare/route.js";
