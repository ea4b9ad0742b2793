/** Refusals of those who may not come in, and what they are told. */

/** Limit of WebSocket for a close reason. */
const REASON_BYTES_MAX = 123;

/** Why somebody may not come in. The message goes to the client and contains no part of the token. */
export class Refused extends Error {
  constructor(
    /** A close code of the protocol. */
    readonly code: number,
    reason: string,
  ) {
    super(reason);
  }
}

/** A reason that fits into a close frame. */
export function shortened(reason: string): string {
  let text = reason;
  while (new TextEncoder().encode(text).length > REASON_BYTES_MAX) text = text.slice(0, -1);
  return text;
}

/** The frame Bye of the protocol: the CBOR array of its type and a map of code and reason. */
export function bye(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(shortened(reason));
  return Uint8Array.of(0x82, 12, 0xa2, 0, 0x19, code >> 8, code & 0xff, 1, 0x78, text.length, ...text);
}
