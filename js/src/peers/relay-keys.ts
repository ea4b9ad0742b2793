/** The keys by which a space's relays sign tickets and receipts: asked of the relays, and kept for when they are gone. */
import { ask, textOf } from "../base/http.js";
import type { Bytes } from "./bytes.js";
import { isSigned } from "./identity.js";

const ASK_MS = 5_000;
/** How long it is not asked again. */
const FRESH_MS = 10_000;
const LIST_BYTES_MAX = 16 * 1024;
/** Of one relay. */
const KEYS_MAX = 8;
const KEY_BYTES = 32;

export class RelayKeys {
  readonly #relays: () => readonly string[];
  readonly #signal: AbortSignal;
  /** By the relay's address. */
  readonly #keys = new Map<string, readonly Bytes[]>();
  #asked: Promise<void> | undefined;
  #askedAt = -Infinity;

  /** `relays` gives the addresses of the relays. */
  constructor(relays: () => readonly string[], signal: AbortSignal) {
    this.#relays = relays;
    this.#signal = signal;
  }

  /** Asks the relays whose keys are not known. */
  async prepare(): Promise<void> {
    if (this.#relays().some((relay) => !this.#keys.has(relay))) await this.#ask();
  }

  /** Whether one of the relays has signed these bytes. */
  async isRelays(bytes: Bytes, signature: Bytes): Promise<boolean> {
    if (await this.#isOfKnown(bytes, signature)) return true;
    // One of them may have a new key.
    await this.#ask();
    return this.#isOfKnown(bytes, signature);
  }

  async #isOfKnown(bytes: Bytes, signature: Bytes): Promise<boolean> {
    for (const key of [...this.#keys.values()].flat()) if (await isSigned(key, bytes, signature)) return true;
    return false;
  }

  #ask(): Promise<void> {
    if (this.#asked === undefined || Date.now() - this.#askedAt > FRESH_MS) {
      this.#askedAt = Date.now();
      this.#asked = Promise.all(this.#relays().map((relay) => this.#askOne(relay))).then(() => undefined);
    }
    return this.#asked;
  }

  async #askOne(relay: string): Promise<void> {
    const url = `${relay.replace(/^ws/i, "http").replace(/\/+$/, "")}/v1/keys`;
    try {
      const text = await ask(url, ASK_MS, this.#signal, (response) =>
        response.ok ? textOf(response, LIST_BYTES_MAX) : undefined,
      );
      if (text !== undefined) this.#keys.set(relay, keysOf(JSON.parse(text)));
    } catch {
      // Those that are known stay.
    }
  }
}

/** The Ed25519 keys of a JWK set. */
function keysOf(set: unknown): Bytes[] {
  const { keys } = (set ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) return [];
  return (keys as ({ kty?: unknown; crv?: unknown; x?: unknown } | null)[]).slice(0, KEYS_MAX).flatMap((jwk) => {
    if (jwk?.kty !== "OKP" || jwk.crv !== "Ed25519" || typeof jwk.x !== "string") return [];
    const bytes = Uint8Array.from(atob(jwk.x.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
    return bytes.length === KEY_BYTES ? [bytes] : [];
  });
}
