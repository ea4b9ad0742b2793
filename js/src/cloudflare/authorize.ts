/** Decides what the other end of a link may do. */

import type { RelayClaims } from "./instance.js";
import type { Keys } from "./keys.js";
import { TokenRefused, verifyToken } from "./token.js";

/** `from` is the region of a relay in the same namespace. It needs no token. Undefined for all other links. */
export async function authorize(
  token: string | undefined,
  from: string | undefined,
  keys: Keys | "open",
): Promise<RelayClaims | TokenRefused> {
  if (from !== undefined) return { subject: `relay ${from}`, spaces: [["*", "write"]], isRelay: true };
  if (keys === "open") return { subject: "", spaces: [["*", "write"]], isRelay: true };
  try {
    return await verifyToken(token, keys);
  } catch (error) {
    if (error instanceof TokenRefused) return error;
    console.error("eyot: a token can't be checked:", String(error));
    return new TokenRefused("the relay can't get its keys");
  }
}
