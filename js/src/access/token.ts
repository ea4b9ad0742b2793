/** Verifies a token (a JWT) and reads what its bearer may do. */

import { base64url, decodeProtectedHeader, errors, jwtVerify } from "jose";
import { clock } from "../base/clock.js";
import { CLOSE_DENIED, CLOSE_EXPIRED } from "../base/close-codes.js";
import type { RelayClaims } from "../../wasm/eyot_web_relay.js";
import { type Algorithm, type Key, type Keys, keysOf } from "./keys.js";
import { Refused } from "./refused.js";

const ALGORITHMS: readonly string[] = ["EdDSA", "ES256", "HS256"] satisfies Algorithm[];
const CLAIMS = ["sub", "exp", "nbf", "spaces", "relay"];
/** Tolerated difference between the clock of the token's issuer and the relay's. */
const SKEW_SECONDS = 5;

/** What a token says, or an application in its place. */
export type TokenClaims = Readonly<Record<string, unknown>>;

/**
 * What a token says, once it is verified: `{"sub": "alice", "exp": 1790000000, "spaces": {"team": "write", "public/*": "read"}}`, and
 * `"relay": true` where its bearer is a relay of another region. Rejects with `Refused`, and with `NoKeys` if there are no
 * keys to verify it with now.
 */
export async function verifyToken(token: string, keys: Keys): Promise<TokenClaims> {
  const { algorithm, id } = readHeader(token);
  for (const candidate of await candidates(keys, algorithm, id)) {
    try {
      const { payload } = await jwtVerify(token, candidate.key, {
        algorithms: [algorithm],
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(clock.now()),
        requiredClaims: ["exp"],
      });
      checkRepeats(token);
      return payload;
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      throw refusal(error);
    }
  }
  throw denied("the token was not signed by a key of this relay");
}

function readHeader(token: string): { algorithm: string; id: string | undefined } {
  let header;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw malformed();
  }
  const { alg, kid } = header;
  if (alg === undefined || !ALGORITHMS.includes(alg)) throw notAccepted();
  return { algorithm: alg, id: kid };
}

/** The keys that may have signed a token. If it names an unknown key, the list of keys is fetched again. */
async function candidates(keys: Keys, algorithm: string, id: string | undefined): Promise<readonly Key[]> {
  const find = async (unknown: boolean) => {
    const fitting = (await keysOf(keys, unknown)).filter((key) => key.algorithm === algorithm);
    return { fitting, named: fitting.filter((key) => id === undefined || key.id === undefined || key.id === id) };
  };
  let { fitting, named } = await find(false);
  if (named.length === 0 && id !== undefined) ({ fitting, named } = await find(true));
  if (fitting.length === 0) throw notAccepted();
  return named;
}

/** JSON takes the last of several claims of one name, others the first. No issuer means either. */
function checkRepeats(token: string): void {
  const [, payload = ""] = token.split(".");
  const names = memberNames(new TextDecoder().decode(base64url.decode(payload)));
  if (CLAIMS.some((claim) => names.indexOf(claim) !== names.lastIndexOf(claim))) throw malformed();
}

/** The names of the members of an object, as often as they appear in its JSON. */
function memberNames(json: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (depth === 1 && colon !== undefined) names.push(JSON.parse(token.slice(0, -colon.length)) as string);
  }
  return names;
}

/** What the bearer may do by these claims. Throws `Refused`. */
export function readClaims({ sub, exp, spaces, relay }: TokenClaims): RelayClaims {
  if (typeof sub !== "string" || sub === "") throw denied("the token says no subject");
  if (exp !== undefined && typeof exp !== "number") throw malformed();
  if (relay !== undefined && typeof relay !== "boolean") throw malformed();
  if (typeof spaces !== "object" || spaces === null || Array.isArray(spaces)) {
    throw denied("the token says no spaces");
  }
  const rights = Object.entries(spaces as Record<string, unknown>);
  if (!rights.every(([, right]) => right === "read" || right === "write")) {
    throw denied("the token says a right that is neither read nor write");
  }
  return {
    subject: sub,
    spaces: rights as RelayClaims["spaces"],
    ...(exp !== undefined && { expiresAt: (exp + SKEW_SECONDS) * 1000 }),
    isRelay: relay === true,
  };
}

function refusal(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new Refused(CLOSE_EXPIRED, "the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "exp") return denied("the token says no time of expiry");
    if (error.claim === "nbf" && error.reason === "check_failed") return denied("the token is not valid yet");
  }
  if (error instanceof errors.JOSENotSupported) {
    return denied("the token asks for what is not understood here");
  }
  if (error instanceof errors.JOSEError) return malformed();
  return error;
}

function notAccepted(): Refused {
  return denied("the token's algorithm is not accepted here");
}

function malformed(): Refused {
  return denied("the token is malformed");
}

function denied(reason: string): Refused {
  return new Refused(CLOSE_DENIED, reason);
}
