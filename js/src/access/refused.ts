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
