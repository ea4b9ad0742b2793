/** The keys that tokens are checked with: what the application gives, and what a URL lists. */

/** Signature algorithms that are accepted, by the kind of key that each needs. */
export type Algorithm = "EdDSA" | "ES256" | "HS256";

/** One or more public keys (Ed25519, P-256) or shared ones (`oct`), the URL of a JWKS, or a shared secret. */
export type Keys =
  | JsonWebKey
  | readonly JsonWebKey[]
  | { readonly keys: readonly JsonWebKey[] }
  | { readonly jwks: string }
  | { readonly secret: string };

/** A key for one algorithm. Which one is the key's to say, never a token's. */
export interface Key {
  readonly algorithm: Algorithm;
  /** Its `kid`. */
  readonly id: string | undefined;
  readonly key: JsonWebKey | Uint8Array;
}

/** A shorter secret can be guessed from one token (RFC 7518, 3.2). */
const SECRET_BYTES_MIN = 32;
/** How long a list fetched from a URL is believed. */
const FRESH_MS = 600_000;
/** How often it is fetched at most, whatever tokens name. */
const REFETCH_MS = 5_000;
const FETCH_TIMEOUT_MS = 5_000;

/** Throws where these are no keys: a mistake is to be found before a client comes. */
export function checkKeys(keys: Keys): void {
  if (isRemote(keys)) void new URL(keys.jwks);
  else localKeys(keys);
}

/** The keys. Rejects where they can't be had. `unknown`: a token names one that was not among them. */
export async function keysOf(keys: Keys, unknown: boolean): Promise<readonly Key[]> {
  return isRemote(keys) ? fetchedKeys(keys.jwks, unknown) : localKeys(keys);
}

function isRemote(keys: Keys): keys is { jwks: string } {
  return "jwks" in keys && typeof keys.jwks === "string";
}

function localKeys(keys: Keys): Key[] {
  if ("secret" in keys && typeof keys.secret === "string") {
    // What was meant to be a public key must never become a secret, for everybody knows it.
    if (keys.secret.startsWith("-----")) throw new TypeError("eyot: keys are given as JWK, not as PEM");
    return [shared(new TextEncoder().encode(keys.secret))];
  }
  const listed = !Array.isArray(keys) && "keys" in keys ? keys.keys : keys;
  const list = (Array.isArray(listed) ? listed : [listed]) as JsonWebKey[];
  // A set may have keys for others too.
  const fitting = list.flatMap((jwk) =>
    jwk.kty === "oct" ? shared(bytes(jwk.k ?? ""), idOf(jwk)) : (publicKey(jwk) ?? []),
  );
  if (fitting.length === 0) throw new TypeError("eyot: keys are Ed25519, P-256 or secrets (`oct`), and none was given");
  return fitting;
}

function shared(key: Uint8Array, id?: string): Key {
  if (key.length < SECRET_BYTES_MIN) throw new TypeError(`eyot: a secret has at least ${SECRET_BYTES_MIN} bytes`);
  return { algorithm: "HS256", id, key };
}

/** Only its public part, whatever was given; undefined for a key of another kind or purpose. */
function publicKey(jwk: JsonWebKey): Key | undefined {
  const { kty, crv, x, y, alg, use } = jwk;
  if (use !== undefined && use !== "sig") return undefined;
  if (kty === "OKP" && crv === "Ed25519" && (alg === undefined || alg === "EdDSA" || alg === "Ed25519")) {
    return { algorithm: "EdDSA", id: idOf(jwk), key: { kty, crv, x: x ?? "" } };
  }
  if (kty === "EC" && crv === "P-256" && (alg === undefined || alg === "ES256")) {
    return { algorithm: "ES256", id: idOf(jwk), key: { kty, crv, x: x ?? "", y: y ?? "" } };
  }
  return undefined;
}

function idOf(jwk: JsonWebKey): string | undefined {
  const { kid } = jwk as { kid?: unknown };
  return typeof kid === "string" ? kid : undefined;
}

function bytes(base64Url: string): Uint8Array {
  const binary = atob(base64Url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

interface Fetched {
  keys: readonly Key[];
  fetchedAt: number;
  triedAt: number;
}

/** What this isolate has fetched. Results are shared between objects, never promises: those belong to one. */
const lists = new Map<string, Fetched>();

async function fetchedKeys(url: string, unknown: boolean): Promise<readonly Key[]> {
  const list = lists.get(url) ?? { keys: [], fetchedAt: -Infinity, triedAt: -Infinity };
  lists.set(url, list);
  const now = Date.now();
  const isFresh = now - list.fetchedAt < FRESH_MS;
  const isTooSoon = now - list.triedAt < REFETCH_MS;
  if (isFresh && (!unknown || isTooSoon)) return list.keys;
  if (isTooSoon) throw new Error("the list could not be had a moment ago");
  list.triedAt = now;
  try {
    list.keys = await fetchKeys(url);
    list.fetchedAt = now;
  } catch (error) {
    console.error("eyot: the keys for tokens can't be had:", String(error));
    // What a token names must not make good keys be forgotten.
    if (!isFresh) throw error;
  }
  return list.keys;
}

async function fetchKeys(url: string): Promise<Key[]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answers with ${response.status}`);
  const { keys } = (await response.json()) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error(`${url} is no list of keys`);
  // Such lists are public and serve others too: a secret in one is none, and kinds unknown here are not for us.
  return (keys as JsonWebKey[]).flatMap((jwk) => publicKey(jwk) ?? []);
}
