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
/**
 * How a key, a list of keys or its address begins: as PEM, for SSH, as JSON, as a URL. None of them may be used as a
 * secret, because everybody knows it.
 */
const PUBLIC = /^\ufeff?\s*(?:-----|ssh-|ecdsa-|[{["]|https?:)/i;
/** How long a fetched list is used before it is fetched again. */
const FRESH_MS = 600_000;
/** How long it is used while it can't be fetched again. */
const USABLE_MS = 24 * 3_600_000;
/** Minimum time between two fetches, however many tokens name unknown keys. */
const REFETCH_MS = 5_000;
const FETCH_TIMEOUT_MS = 5_000;
/** How often a request looks whether the list that another one fetches has come. */
const POLL_MS = 20;

/** There are no keys now, because their list can't be fetched. */
export class NoKeys extends Error {}

/** Throws a `TypeError` if these are not keys. */
export function checkKeys(keys: Keys): void {
  if (typeof keys !== "object" || keys === null) throw new TypeError("eyot: keys are a JWK, several, or a JWKS");
  if (!isRemote(keys)) localKeys(keys);
  else if (!isUrl(keys.jwks)) throw new TypeError("eyot: the address of a list of keys is a URL");
}

function isUrl(text: string): boolean {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

/** The keys. Rejects with `NoKeys` if they cannot be fetched. `unknown`: a token names a key that is not among those known so far. */
export async function keysOf(keys: Keys, unknown: boolean): Promise<readonly Key[]> {
  return isRemote(keys) ? fetchedKeys(keys.jwks, unknown) : localKeys(keys);
}

function isRemote(keys: Keys): keys is { jwks: string } {
  return "jwks" in keys && typeof keys.jwks === "string";
}

function localKeys(keys: Keys): Key[] {
  if ("secret" in keys && typeof keys.secret === "string") {
    if (PUBLIC.test(keys.secret)) throw new TypeError("eyot: this secret looks like a key or the address of one");
    return [shared(new TextEncoder().encode(keys.secret))];
  }
  const listed = !Array.isArray(keys) && "keys" in keys ? keys.keys : keys;
  const list = (Array.isArray(listed) ? listed : [listed]).filter(isObject) as JsonWebKey[];
  // A set may contain keys for other purposes.
  const fitting = list.flatMap((jwk) => (jwk.kty === "oct" ? shared(bytes(jwk.k), idOf(jwk)) : (publicKey(jwk) ?? [])));
  if (fitting.length === 0) throw new TypeError("eyot: keys are Ed25519, P-256 or secrets (`oct`), and none was given");
  return fitting;
}

function shared(key: Uint8Array, id?: string): Key {
  if (key.length < SECRET_BYTES_MIN) throw new TypeError(`eyot: a secret has at least ${SECRET_BYTES_MIN} bytes`);
  return { algorithm: "HS256", id, key };
}

/** The public part of a key; undefined for keys of other kinds or purposes, and for what is no key. */
function publicKey(jwk: JsonWebKey): Key | undefined {
  const { kty, crv, x, y, alg, use } = jwk;
  if (use !== undefined && use !== "sig") return undefined;
  if (kty === "OKP" && crv === "Ed25519" && (alg === undefined || alg === "EdDSA" || alg === "Ed25519")) {
    return isCoordinate(x) ? { algorithm: "EdDSA", id: idOf(jwk), key: { kty, crv, x } } : undefined;
  }
  if (kty === "EC" && crv === "P-256" && (alg === undefined || alg === "ES256")) {
    const isPoint = isCoordinate(x) && isCoordinate(y);
    return isPoint ? { algorithm: "ES256", id: idOf(jwk), key: { kty, crv, x, y } } : undefined;
  }
  return undefined;
}

/** 32 bytes. */
function isCoordinate(base64Url: unknown): base64Url is string {
  return typeof base64Url === "string" && /^[\w-]{43}$/.test(base64Url);
}

function idOf(jwk: JsonWebKey): string | undefined {
  const { kid } = jwk as { kid?: unknown };
  return typeof kid === "string" ? kid : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function bytes(base64Url: unknown): Uint8Array {
  const encoded = typeof base64Url === "string" ? base64Url : "";
  if (!/^[\w-]*$/.test(encoded)) throw new TypeError("eyot: the `k` of a secret is base64url");
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

interface Fetched {
  keys: readonly Key[];
  fetchedAt: number;
  triedAt: number;
  /** Until a fetch has ended. It may have ended with its request, unnoticed: after `REFETCH_MS` the next one is due. */
  isFetching: boolean;
}

/**
 * The lists fetched by this isolate, by address. Requests share them, but not the promises of a fetch: the platform ends
 * a fetch with the request that began it.
 */
const lists = new Map<string, Fetched>();

async function fetchedKeys(url: string, unknown: boolean): Promise<readonly Key[]> {
  const list = lists.get(url) ?? { keys: [], fetchedAt: -Infinity, triedAt: -Infinity, isFetching: false };
  lists.set(url, list);
  for (;;) {
    const now = Date.now();
    const isFresh = now - list.fetchedAt < FRESH_MS;
    const isUsable = now - list.fetchedAt < USABLE_MS;
    const isTooSoon = now - list.triedAt < REFETCH_MS;
    if (isFresh && (!unknown || (isTooSoon && !list.isFetching))) return list.keys;
    if (list.isFetching && isTooSoon) {
      if (isUsable && !unknown) return list.keys;
      // Another request fetches the list.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      continue;
    }
    if (isTooSoon) {
      if (isUsable) return list.keys;
      throw new NoKeys("the list could not be had a moment ago");
    }
    Object.assign(list, { triedAt: now, isFetching: true });
    try {
      Object.assign(list, { keys: await fetchKeys(url), fetchedAt: now });
    } catch (error) {
      console.error("eyot: the keys for tokens can't be had:", String(error));
      if (!isUsable) throw new NoKeys(String(error));
    } finally {
      list.isFetching = false;
    }
    return list.keys;
  }
}

async function fetchKeys(url: string): Promise<Key[]> {
  const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answers with ${response.status}`);
  const keys = ((await response.json()) as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new Error(`${url} is no list of keys`);
  // The list is public, so a secret in it is ignored. Keys of unknown kinds are for other services.
  return keys.filter(isObject).flatMap((jwk) => publicKey(jwk as JsonWebKey) ?? []);
}
