/** The relay as a Cloudflare Worker: a Durable Object for each (space, region). */

export type { RelayCaps } from "../wasm/eyot_web.js";
export type { Keys } from "./cloudflare/keys.js";
export type { RelayOptions } from "./cloudflare/options.js";
export { SpaceRelay } from "./cloudflare/relay.js";
export { routeRelay } from "./cloudflare/route.js";
