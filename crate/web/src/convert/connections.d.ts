/** A connection to another replica: it carries whole frames, in order. A method that throws ends the link. */
export interface PeerConnection {
  /** The bytes are the connection's from then on. */
  send(frame: Uint8Array): void;
  /** The link on it has ended, with a close code and a reason for people. */
  close(code: number, reason: string): void;
}
