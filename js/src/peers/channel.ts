/** What carries messages to another replica and keeps their order: a port, or a data channel of WebRTC. */

export interface Channel {
  readonly via: "port" | "webrtc";
  /** The most bytes that a message may have. */
  readonly messageBytesMax: number;
  /** Whom to tell of messages from now on, and of those that came before. */
  listen(listener: ChannelListener): void;
  /** Sends a message. The bytes, which fill their buffer, are the channel's from then on. Throws where it can't be sent. */
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Closes the channel once what was sent is on its way. Nothing more is reported of it. */
  close(): void;
}

export interface ChannelListener {
  message(bytes: Uint8Array): void;
  /** The channel was closed by the other side, or has failed. */
  closed(): void;
}
