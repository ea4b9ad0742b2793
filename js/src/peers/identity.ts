/** The key pair by which this replica is known to others that it may link to. Made anew each time; it is never stored. */
import { EyotError } from "../base/error.js";
import type { Bytes } from "./bytes.js";

const ED25519 = { name: "Ed25519" };

export class Identity {
  /** 32 bytes. */
  readonly key: Bytes;
  readonly #pair: CryptoKeyPair;

  private constructor(key: Bytes, pair: CryptoKeyPair) {
    this.key = key;
    this.#pair = pair;
  }

  /** Rejects with `unavailable` where the platform can't make such keys. */
  static async make(): Promise<Identity> {
    try {
      const pair = (await crypto.subtle.generateKey(ED25519, false, ["sign", "verify"])) as CryptoKeyPair;
      return new Identity(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)), pair);
    } catch (cause) {
      throw new EyotError("unavailable", "this platform has no Ed25519, which direct links need", { cause });
    }
  }

  async sign(bytes: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign(ED25519, this.#pair.privateKey, bytes));
  }
}

/** Whether the holder of that key has signed these bytes. */
export async function isSigned(key: Bytes, bytes: Bytes, signature: Bytes): Promise<boolean> {
  try {
    const imported = await crypto.subtle.importKey("raw", key, ED25519, false, ["verify"]);
    return await crypto.subtle.verify(ED25519, imported, signature, bytes);
  } catch {
    return false;
  }
}
