/** The keys that tokens are verified with: given by the application, or fetched from a JWKS URL. */

/** The signature algorithms that are accepted. */
export type Algorithm = "EdDSA" | "ES256" | "HS256";

/** One or more public keys (Ed25519, P-256) or shared ones (`oct`), the URL of a JWKS, or a shared secret. */
export type Keys =
  | JsonWebKey
  | readonly JsonWebKey[]
  | { readonly keys: readonly JsonWebKey[] }
  | { readonly jwks: string }
  | { readonly secret: string };

/** A key for one algorithm. The key decides which, never the token: otherwise a public key could be used as a secret. */
export interface Key {
  readonly algorithm: Algorithm;
  /** The key's `kid`. */
  readonly id: string | undefined;
  readonly key: JsonWebKey | Uint8Array;
}

/** RFC 7518, section 3.2: a shorter secret can be guessed from one token. */
const SECRET_BYTES_MIN = 32;
/** How long a fetched list is used. */
const FRESH_MS = 600_000;
/** Minimum time between two fetches, however many tokens name unknown keys. */
const REFETCH_MS = 5_000;
const FETCH_TIMEOUT_MS = 5_000;

/** Throws if these are not keys, so that a mistake shows at the first request and not at the first token. */
export function checkKeys(keys: Keys): void {
  if (isRemote(keys)) void new URL(keys.jwks);
  else localKeys(keys);
}

/** The keys. Rejects if they cannot be fetched. `unknown`: a token names a key that is not among those known so far. */
export async function keysOf(keys: Keys, unknown: boolean): Promise<readonly Key[]> {
  return isRemote(keys) ? fetchedKeys(keys.jwks, unknown) : localKeys(keys);
}

function isRemote(keys: Keys): keys is { jwks: string } {
  return "jwks" in keys && typeof keys.jwks === "string";
}

function localKeys(keys: Keys): Key[] {
  if ("secret" in keys && typeof keys.secret === "string") {
    // A public key in PEM form must not be used as a secret, because everybody knows it.
    if (keys.secret.startsWith("-----")) throw new TypeError("eyot: keys are given as JWK, not as PEM");
    return [shared(new TextEncoder().encode(keys.secret))];
  }
  const listed = !Array.isArray(keys) && "keys" in keys ? keys.keys : keys;
  const list = (Array.isArray(listed) ? listed : [listed]) as JsonWebKey[];
  // A set may contain keys for other purposes.
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

/** The public part of a key; undefined for keys of other kinds or purposes. */
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

/** The lists fetched by this isolate. Its objects share results but not promises: the platform ties those to one object. */
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
    // The known keys are still fresh: a token that names an unknown key must not make them unusable.
    if (!isFresh) throw error;
  }
  return list.keys;
}

async function fetchKeys(url: string): Promise<Key[]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answers with ${response.status}`);
  const { keys } = (await response.json()) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error(`${url} is no list of keys`);
  // The list is public, so a secret in it is ignored. Keys of unknown kinds are for other services.
  return (keys as JsonWebKey[]).flatMap((jwk) => publicKey(jwk) ?? []);
}
