/** Decides who may come in to a space of a relay, with the keys that there are now. */

import { clock } from "../base/clock.js";
import { CLOSE_DENIED, CLOSE_GOING_AWAY, CLOSE_TOO_LARGE } from "../base/close-codes.js";
import type { RelayClaims } from "../../wasm/eyot_web_relay.js";
import { type Keys, NoKeys } from "./keys.js";
import { Refused } from "./refused.js";
import { readClaims, type TokenClaims, verifyToken } from "./token.js";

/** The WebSocket subprotocol of relays. */
export const PROTOCOL = "eyot.v1";
/** Offered beside it: the token. Scripts of a page can give a WebSocket no other header. */
const TOKEN_PREFIX = "eyot.token.";
/** The same as in the protocol. */
const TOKEN_BYTES_MAX = 8 * 1024;

/** Who comes: what the host has found out before it passed the link on. */
export interface Comer {
  claims: RelayClaims;
  /** The token that says so. Absent: none was needed. */
  token?: string;
  /** When the token was issued, in milliseconds since 1970; absent where it does not say. */
  issuedAt?: number;
}

/** A relay of another region of the same host. */
export function trusted(subject: string): RelayClaims {
  return { subject, spaces: [["*", "write"]], isRelay: true };
}

/**
 * Everybody, at a relay that is open. Only where there are relays elsewhere, which can't be told from others, may a link be
 * one of theirs.
 */
function anybody(hasPeers: boolean): RelayClaims {
  return { ...trusted(""), isRelay: hasPeers };
}

/** The subprotocols that a request offers. */
export function protocolsOf(request: Request): string[] {
  return (
    request.headers
      .get("sec-websocket-protocol")
      ?.split(",")
      .map((one) => one.trim()) ?? []
  );
}

/** The token that a request offers. */
export function tokenOffered(protocols: readonly string[]): string | undefined {
  return protocols.find((one) => one.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length);
}

/** The subprotocols with which a link is opened. */
export function offer(token: string | undefined): string {
  return token === undefined ? PROTOCOL : `${PROTOCOL}, ${TOKEN_PREFIX}${token}`;
}

/** The application's last word: what somebody may do, by what a verified token says. */
export type Authorize = (claims: TokenClaims) => TokenClaims | Promise<TokenClaims>;

/** Whoever comes to a space with this token. `hasPeers`: there are relays elsewhere. Rejects with `Refused`. */
export async function admit(
  token: string | undefined,
  space: string,
  keys: Keys | "open",
  hasPeers: boolean,
  authorize?: Authorize,
): Promise<Comer> {
  if (keys === "open") {
    if (authorize === undefined) return { claims: anybody(hasPeers) };
    return { claims: forSpace(await asked(authorize, {}), space), issuedAt: clock.now() };
  }
  if (token === undefined) throw new Refused(CLOSE_DENIED, "a token is needed");
  if (token.length > TOKEN_BYTES_MAX) throw new Refused(CLOSE_TOO_LARGE, "a token over the limit");
  const said = await verifyToken(token, keys).catch((error: unknown) => {
    if (error instanceof Refused) throw error;
    if (!(error instanceof NoKeys)) console.error("eyot: a token can't be checked:", String(error));
    throw new Refused(CLOSE_GOING_AWAY, "the relay can't get its keys; try again");
  });
  const { iat } = said;
  const claims = forSpace(authorize === undefined ? readClaims(said) : await asked(authorize, said), space);
  return { claims, token, ...(typeof iat === "number" && { issuedAt: iat * 1000 }) };
}

/** What the application makes of claims. It can't make a token live longer. */
async function asked(authorize: Authorize, said: TokenClaims): Promise<RelayClaims> {
  let claims: TokenClaims;
  try {
    claims = await authorize({ ...said });
    if (typeof claims !== "object" || claims === null) throw new TypeError("authorize gives no claims");
  } catch (error) {
    // Whoever is refused is not told what the application has said, which may be of others.
    console.error("eyot: authorize has refused somebody:", String(error));
    throw new Refused(CLOSE_DENIED, "the application does not let you in");
  }
  const read = readClaims({ exp: said["exp"], ...claims });
  const until = said["exp"] === undefined ? read : readClaims({ ...claims, exp: said["exp"] });
  const expiresAt = Math.min(read.expiresAt ?? Infinity, until.expiresAt ?? Infinity);
  return expiresAt === Infinity ? read : { ...read, expiresAt };
}

/** The claims for a space alone: its relay is told no other rights. */
function forSpace(claims: RelayClaims, space: string): RelayClaims {
  const spaces = claims.spaces.filter(([pattern]) => names(pattern, space));
  if (spaces.length === 0) throw new Refused(CLOSE_DENIED, "the token is not for this space");
  return { ...claims, spaces };
}

/** Whether a pattern of a token, a name or a prefix that ends in `*`, names a space. */
function names(pattern: string, space: string): boolean {
  return pattern.endsWith("*") ? space.startsWith(pattern.slice(0, -1)) : space === pattern;
}
