// Keys, and tokens signed with them.

import { CompactSign, exportJWK, generateKeyPair, SignJWT } from "jose";

const HOUR_MS = 3_600_000;

/** A pair of keys for an algorithm, with its public half as a JWK that bears an id. */
export async function keyPair(alg, kid) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid } };
}

/** A secret for HS256, as text. */
export function secretKey() {
  const secret = crypto.randomUUID() + crypto.randomUUID();
  return { alg: "HS256", key: new TextEncoder().encode(secret), secret };
}

/** A token for the space `space`; `claims` replace those of a writer, undefined ones are left out. */
export function sign({ alg, kid, key, crit }, claims = {}) {
  const all = { sub: "alice", exp: at(HOUR_MS), spaces: { space: "write" }, ...claims };
  const header = { alg, ...(kid && { kid }), ...(crit && { crit, [crit[0]]: true }) };
  // Whoever verifies need not know what whoever signs must.
  const options = { crit: Object.fromEntries((crit ?? []).map((name) => [name, true])) };
  return new SignJWT(JSON.parse(JSON.stringify(all))).setProtectedHeader(header).sign(key, options);
}

/** A token whose payload was changed as text before it was signed. */
export function signText({ alg, kid, key }, change) {
  const payload = change(JSON.stringify({ sub: "alice", exp: at(HOUR_MS), spaces: { space: "write" } }));
  return new CompactSign(Buffer.from(payload)).setProtectedHeader({ alg, kid }).sign(key);
}

/** A time so many milliseconds from now, as tokens say it. */
export function at(ms) {
  return Math.floor((Date.now() + ms) / 1000);
}

/** A token that nobody has signed, with this header. */
export function unsigned(header, claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part({ sub: "alice", exp: at(HOUR_MS), spaces: { space: "write" }, ...claims })}.`;
}
