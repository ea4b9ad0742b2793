/**
 * Judges a token that comes over a link that is up. An object has no keys: it asks the Worker, which has the present
 * ones, through `ctx.exports`.
 */

import { CLOSE_EXPIRED } from "../base/close-codes.js";
import { admit, type Authorize, type Comer } from "../access/admission.js";
import type { RelayClaims } from "./instance.js";
import type { Keys } from "../access/keys.js";
import { Refused } from "../access/refused.js";
import type { Context } from "./platform.js";

/** The token of a request that is no link. */
export function bearer(request: Request): string | undefined {
  return /^bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

type Verdict = { claims: RelayClaims; issuedAt?: number } | { code: number; reason: string };

/** What the Worker answers: what the bearer of a token may do in a space. */
export async function judge(
  request: Request,
  space: string,
  keys: Keys | "open",
  hasPeers: boolean,
  authorize: Authorize | undefined,
): Promise<Response> {
  const token = bearer(request);
  const headers = { "cache-control": "no-store" };
  try {
    const { claims, issuedAt } = await admit(token, space, keys, hasPeers, authorize);
    return Response.json({ claims, ...(issuedAt !== undefined && { issuedAt }) } satisfies Verdict, { headers });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return Response.json({ code: error.code, reason: error.message } satisfies Verdict, { status: 401, headers });
  }
}

/** What the bearer of a token may do in a space, by the keys that the Worker has now. Rejects with `Refused`. */
export async function askWorker(context: Context, space: string, token: string): Promise<Comer> {
  const worker = context.exports?.default;
  // Over a new link the Worker sees the token first.
  if (worker === undefined) throw new Refused(CLOSE_EXPIRED, "connect again with the fresh token");
  const url = `http://relay/v1/${encodeURIComponent(space)}/token`;
  const response = await worker.fetch(new Request(url, { headers: { authorization: `Bearer ${token}` } }));
  const verdict = (await response.json()) as Verdict;
  if ("claims" in verdict) return verdict;
  throw new Refused(verdict.code, verdict.reason);
}
