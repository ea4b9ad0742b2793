/** The key with which relays sign tickets, by which replicas link to each other, and what is published of it. */

/**
 * Name of the secret with the key: a private Ed25519 key as JWK. All objects of a Worker have the same, and relays
 * elsewhere may have it, too. Without it replicas are not told of each other.
 */
export const TICKET_KEY = "TICKET_KEY";

const ED25519 = { name: "Ed25519" };

/** The key that was used last, by its text. */
let last: { text: string; key: Promise<CryptoKey> } | undefined;

/** The signature of these bytes; undefined without a key. */
export async function signTicket(env: unknown, bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const text = textOf(env);
  if (text === undefined) return undefined;
  if (last?.text !== text) last = { text, key: importKey(text) };
  const copy = new Uint8Array(bytes);
  return new Uint8Array(await crypto.subtle.sign(ED25519, await last.key, copy));
}

/** What replicas are told of the key: a JWK set, empty without one. */
export function publishedKeys(env: unknown): { keys: object[] } {
  const text = textOf(env);
  if (text === undefined) return { keys: [] };
  const { kty, crv, x } = jwkOf(text);
  return { keys: [{ kty, crv, x, use: "sig", alg: "EdDSA" }] };
}

async function importKey(text: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("jwk", jwkOf(text), ED25519, false, ["sign"]);
}

/** The error does not repeat the text, which is a secret. */
function jwkOf(text: string): JsonWebKey {
  let jwk: JsonWebKey | null = null;
  try {
    jwk = JSON.parse(text) as JsonWebKey | null;
  } catch {
    // Said below.
  }
  const { kty, crv, d, x } = jwk ?? {};
  if (kty !== "OKP" || crv !== "Ed25519" || typeof d !== "string" || typeof x !== "string") {
    throw new TypeError(`${TICKET_KEY} is a private Ed25519 key, as JWK`);
  }
  return { kty, crv, d, x };
}

function textOf(env: unknown): string | undefined {
  const text = (env as Record<string, unknown>)[TICKET_KEY];
  return typeof text === "string" && text !== "" ? text : undefined;
}
