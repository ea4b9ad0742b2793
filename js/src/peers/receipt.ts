/**
 * Receipts, by which a replica without a relay learns what a region has stored. The core writes and reads them:
 * `crate/core/src/wire/receipt.rs`. What is left to do here is to find out whether a relay has signed one: the last 64
 * bytes are its signature of "eyot receipt" ‖ all before them.
 */
import type { RelayKeys } from "./relay-keys.js";

const SIGNATURE_BYTES = 64;
const SIGNED_AS = "eyot receipt";

export async function isReceipt(bytes: Uint8Array, keys: Pick<RelayKeys, "isRelays">): Promise<boolean> {
  if (bytes.length <= SIGNATURE_BYTES) return false;
  const signed = new Uint8Array([...new TextEncoder().encode(SIGNED_AS), ...bytes.subarray(0, -SIGNATURE_BYTES)]);
  return keys.isRelays(signed, new Uint8Array(bytes.subarray(-SIGNATURE_BYTES)));
}
