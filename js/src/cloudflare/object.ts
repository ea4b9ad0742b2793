/** Finds the Durable Object that is the relay of a space in a region. */

import { hintOf } from "./place.js";
import type { Namespace } from "./platform.js";
import type { Setup } from "./setup.js";

/** Name of the Durable Object binding in the Worker's configuration, unless the options say another one. */
const BINDING = "SPACE_RELAY";

/**
 * Name of the secret with the token for relays elsewhere. An object reads it whenever it wakes; it must have
 * `"relay": true` and the right to `write`.
 */
const PEER_TOKEN = "PEER_TOKEN";

/** The object. It runs in the region if the platform knows a place of that name. */
export function relayObject(
  env: unknown,
  { space, region, binding = BINDING, jurisdiction }: Setup,
): ReturnType<Namespace["get"]> {
  const bound = (env as Record<string, Namespace | undefined>)[binding];
  if (bound === undefined) throw new TypeError(`eyot: the binding ${binding} of a Durable Object is missing`);
  const namespace = jurisdiction === undefined ? bound : bound.jurisdiction(jurisdiction);
  return namespace.get(namespace.idFromName(`${space}\n${region}`), hintOf(region));
}

/** The token with which this relay comes to relays elsewhere. */
export function peerToken(env: unknown): string | undefined {
  const token = (env as Record<string, unknown>)[PEER_TOKEN];
  return typeof token === "string" && token !== "" ? token : undefined;
}
