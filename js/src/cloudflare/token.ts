/** Verifies a token (a JWT) and reads what its bearer may do. */

import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import type { RelayClaims } from "./instance.js";
import { type Algorithm, type Key, type Keys, keysOf } from "./keys.js";

/** Why a token was refused. The message goes to the client and contains no part of the token. */
export class TokenRefused extends Error {
  constructor(
    reason: string,
    readonly hasExpired = false,
  ) {
    super(reason);
  }
}

const ALGORITHMS: readonly string[] = ["EdDSA", "ES256", "HS256"] satisfies Algorithm[];
/** Tolerated difference between the clock of the token's issuer and the relay's. */
const SKEW_SECONDS = 5;

/**
 * What a token says: `{"sub": "alice", "exp": 1790000000, "spaces": {"team": "write", "public/*": "read"}}`, and
 * `"relay": true` where its bearer is a relay of another region. Rejects with `TokenRefused`.
 */
export async function verifyToken(token: string | undefined, keys: Keys): Promise<RelayClaims> {
  if (token === undefined) throw new TokenRefused("a token is needed");
  const { algorithm, id } = readHeader(token);
  for (const candidate of await candidates(keys, algorithm, id)) {
    try {
      const { payload } = await jwtVerify(token, candidate.key, {
        algorithms: [algorithm],
        clockTolerance: SKEW_SECONDS,
        requiredClaims: ["exp"],
      });
      return readClaims(payload);
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      throw refusal(error);
    }
  }
  throw new TokenRefused("the token was not signed by a key of this relay");
}

function readHeader(token: string): { algorithm: string; id: string | undefined } {
  let header;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw new TokenRefused("the token is malformed");
  }
  const { alg, kid } = header;
  if (alg === undefined || !ALGORITHMS.includes(alg)) throw notAccepted();
  return { algorithm: alg, id: kid };
}

/** The keys that may have signed a token. If it names an unknown key, the list of keys is fetched again. */
async function candidates(keys: Keys, algorithm: string, id: string | undefined): Promise<readonly Key[]> {
  const find = async (unknown: boolean) => {
    const fitting = (await available(keys, unknown)).filter((key) => key.algorithm === algorithm);
    return { fitting, named: fitting.filter((key) => id === undefined || key.id === undefined || key.id === id) };
  };
  let { fitting, named } = await find(false);
  if (named.length === 0 && id !== undefined) ({ fitting, named } = await find(true));
  if (fitting.length === 0) throw notAccepted();
  return named;
}

async function available(keys: Keys, unknown: boolean): Promise<readonly Key[]> {
  try {
    return await keysOf(keys, unknown);
  } catch {
    throw new TokenRefused("the relay can't get its keys");
  }
}

function readClaims({ sub, exp, spaces, relay }: JWTPayload): RelayClaims {
  if (typeof sub !== "string" || sub === "") throw new TokenRefused("the token says no subject");
  if (typeof spaces !== "object" || spaces === null || Array.isArray(spaces)) {
    throw new TokenRefused("the token says no spaces");
  }
  const rights = Object.entries(spaces as Record<string, unknown>);
  if (!rights.every(([, right]) => right === "read" || right === "write")) {
    throw new TokenRefused("the token says a right that is neither read nor write");
  }
  return {
    subject: sub,
    spaces: rights as RelayClaims["spaces"],
    expiresAt: ((exp as number) + SKEW_SECONDS) * 1000,
    isRelay: relay === true,
  };
}

function refusal(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new TokenRefused("the token has expired", true);
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "exp") return new TokenRefused("the token says no time of expiry");
    if (error.claim === "nbf" && error.reason === "check_failed") return new TokenRefused("the token is not valid yet");
  }
  if (error instanceof errors.JOSENotSupported) {
    return new TokenRefused("the token asks for what is not understood here");
  }
  if (error instanceof errors.JOSEError) return new TokenRefused("the token is malformed");
  return error;
}

function notAccepted(): TokenRefused {
  return new TokenRefused("the token's algorithm is not accepted here");
}
