/**
 * A link to the replica at the other end of a channel.
 *
 * Each side says Hello, and the one with the higher random number dials. Where the link ends for a reason that may pass,
 * both greet again after a while, for as long as the channel lives. Every Hello begins a link anew, so frames that were
 * under way before it are not taken for those of the new link.
 */
import {
  CLOSE_DENIED,
  CLOSE_DONE,
  CLOSE_INCOMPATIBLE,
  CLOSE_MALFORMED,
  CLOSE_OUT_OF_ORDER,
  CLOSE_TOO_LARGE,
} from "../base/close-codes.js";
import { EyotError, type ErrorCode } from "../base/error.js";
import type { Engine } from "../engine/instance.js";
import type { Channel, ChannelListener } from "./channel.js";
import type { PeerContext } from "./context.js";
import type { Message } from "./messages.js";
import { answers, bye, compare, frame, FRAME_BYTES_MAX, hello, RANDOM_BYTES, read, VERSION } from "./messages.js";

/** A link that ended is begun again after so long, and after twice as long each time that it ends at once. */
const REST_MS_MIN = 1_000;
const REST_MS_MAX = 60_000;
/** A link that lasted so long did not end at once. */
const LASTED_MS = 30_000;
/** How long a channel of WebRTC stays open that can't become a link. */
const LINGER_MS = 2_000;
/** A frame comes in no more pieces. */
const PIECES_MAX = 32;

/** So many Hellos are taken at once, and one more each second: each begins a link, whose price is counted anew. */
const HELLOS_MAX = 16;

/** What ends a link for good, and the code of the error that says so. */
const REFUSALS: Readonly<Record<number, ErrorCode>> = {
  [CLOSE_OUT_OF_ORDER]: "invalid",
  [CLOSE_INCOMPATIBLE]: "incompatible",
  [CLOSE_DENIED]: "denied",
};

/** What replicas say to each other by way of one that is linked to both. */
export type Passing = Extract<Message, { key: unknown }>;

export class PeerLink implements ChannelListener {
  /** Why there is no link and none will be; undefined otherwise. */
  refused: EyotError | undefined;
  /** The engine's number of the link, while there is one. */
  link: number | undefined;
  readonly channel: Channel;
  readonly #context: PeerContext;
  /** Whether the other side's commits are refused. */
  readonly #isReader: boolean;
  readonly #over: () => void;
  #state: "greeting" | "linked" | "resting" | "refused" | "over" = "resting";
  /** The random bytes of this side's last Hello and of the other's. */
  #own = new Uint8Array();
  #theirs: Uint8Array = new Uint8Array();
  /** The pieces of a frame that has not come whole. */
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #restMs = REST_MS_MIN;
  #linkedAt = 0;
  /** The close code of what refused the link. */
  #refusal = 0;
  /** How many Hellos may still come, and when that was counted. */
  #hellosLeft = HELLOS_MAX;
  #helloAt = Date.now();

  readonly #passing: ((message: Passing) => void) | undefined;

  /** `over` is called once the channel is closed, by either side. `passing`: what becomes of what others say by this way. */
  constructor(
    context: PeerContext,
    channel: Channel,
    isReader: boolean,
    over: () => void,
    passing?: (message: Passing) => void,
  ) {
    this.channel = channel;
    this.#context = context;
    this.#isReader = isReader;
    this.#over = over;
    this.#passing = passing;
  }

  start(): void {
    this.#greet();
    if (this.#state !== "over") this.channel.listen(this);
  }

  /** Ends the link and closes the channel. */
  end(): void {
    if (this.#state === "over") return;
    const { link } = this;
    if (link !== undefined) this.#run((engine) => engine.closePeer(link));
    this.#finish();
  }

  /** Sends a message that is not of the link. False: there is no link. */
  pass(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.#state !== "linked" || message.length > this.channel.messageBytesMax) return false;
    this.#say(message);
    return true;
  }

  // What the channel reports.

  message(bytes: Uint8Array): void {
    if (!this.#context.isUsable) return;
    const message = read(bytes);
    if (message?.kind === "hello") this.#helloCame(message.version, message.random);
    else if (message?.kind === "bye") this.#byeCame(message.named, message.code, message.reason);
    // Without a link the rest may be of the one before, or not for this package at all.
    else if (this.#state !== "linked") return;
    else if (message === undefined) this.#fail(CLOSE_MALFORMED, "a message that is none of eyot's");
    else if ("key" in message) this.#passing?.(message);
    else this.#pieceCame(message.bytes, message.isLast);
  }

  closed(): void {
    this.#leave();
    this.#finish();
  }

  // What the engine asks of a connection, see `PeerConnection`.

  send(bytes: Uint8Array): void {
    try {
      for (const message of frame(bytes, this.channel.messageBytesMax)) this.channel.send(message);
    } catch (error) {
      this.link = undefined;
      this.#finish();
      // The engine takes that for the end of the link.
      throw error;
    }
  }

  close(code: number, reason: string): void {
    this.link = undefined;
    if (this.#state !== "linked") return;
    // The other side has ended the link with a frame. Its Bye, which says why, is on its way.
    if (code !== CLOSE_DONE) this.#say(bye(this.#theirs, code, reason));
    this.#ended(code, reason);
  }

  // The greeting.

  #greet(): void {
    clearTimeout(this.#timer);
    const hasLasted = Date.now() - this.#linkedAt >= LASTED_MS;
    this.#restMs = hasLasted ? REST_MS_MIN : Math.min(2 * this.#restMs, REST_MS_MAX);
    this.#own = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES));
    this.#state = "greeting";
    this.#say(hello(this.#own));
  }

  #helloCame(version: number, random: Uint8Array): void {
    if (this.refused !== undefined) {
      this.#say(bye(random, this.#refusal, this.refused.message));
      return;
    }
    // The other side begins anew.
    this.#leave();
    if (this.#state !== "greeting") this.#greet();
    this.#theirs = random;
    const order = compare(this.#own, random);
    if (!this.#mayGreet()) this.#refuse(CLOSE_DENIED, "too many greetings");
    else if (version !== VERSION)
      this.#refuse(CLOSE_INCOMPATIBLE, `the other side speaks version ${version} of this link`);
    else if (order === 0) this.#refuse(CLOSE_OUT_OF_ORDER, "both ends of this channel are the same");
    else if (this.#state === "greeting") this.#open(order > 0);
  }

  #mayGreet(): boolean {
    const now = Date.now();
    this.#hellosLeft = Math.min(HELLOS_MAX, this.#hellosLeft + Math.max(0, now - this.#helloAt) / 1_000);
    this.#helloAt = now;
    if (this.#hellosLeft < 1) return false;
    this.#hellosLeft -= 1;
    return true;
  }

  #open(dials: boolean): void {
    this.#state = "linked";
    this.#linkedAt = Date.now();
    this.#forgetPieces();
    const link = this.#run((engine) => engine.openPeer(dials, this.#isReader, this));
    // It may have ended by now.
    if (this.#state === "linked") this.link = link;
  }

  #refuse(code: number, reason: string): void {
    this.#say(bye(this.#theirs, code, reason));
    this.#ended(code, reason);
  }

  // Frames.

  #pieceCame(bytes: Uint8Array, isLast: boolean): void {
    this.#pieceBytes += bytes.length;
    if (this.#pieceBytes > FRAME_BYTES_MAX || this.#pieces.length >= PIECES_MAX) {
      this.#fail(CLOSE_TOO_LARGE, "a frame over the limit");
      return;
    }
    this.#pieces.push(bytes);
    if (!isLast) return;
    const whole = this.#pieces.length === 1 ? bytes : joined(this.#pieces, this.#pieceBytes);
    this.#forgetPieces();
    this.#run((engine) => engine.peerReceived(this.link!, whole));
  }

  #forgetPieces(): void {
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  // The end of a link.

  #byeCame(named: Uint8Array, code: number, reason: string): void {
    if (!answers(named, this.#own)) return;
    this.#leave();
    this.#ended(code, reason);
  }

  /** Ends a link whose other side breaks the rules of the channel. */
  #fail(code: number, reason: string): void {
    this.#leave();
    this.#say(bye(this.#theirs, code, reason));
    this.#ended(code, reason);
  }

  /** Tells the engine that there is no link any more. */
  #leave(): void {
    const { link } = this;
    this.link = undefined;
    this.#forgetPieces();
    if (this.#state === "linked") this.#state = "resting";
    if (link !== undefined) this.#run((engine) => engine.peerClosed(link));
  }

  #ended(code: number, reason: string): void {
    if (this.#state === "over" || this.#state === "refused") return;
    clearTimeout(this.#timer);
    const refusal = REFUSALS[code];
    if (refusal !== undefined) {
      this.#state = "refused";
      this.#refusal = code;
      this.refused = new EyotError(refusal, `the other replica can't be linked: ${reason}`);
      this.#context.changed();
      // Nobody else could close it. A channel that is closed at once may take along the Bye that says why.
      if (this.channel.via === "webrtc") this.#timer = setTimeout(() => this.#finish(), LINGER_MS);
      return;
    }
    this.#state = "resting";
    this.#forgetPieces();
    if (!this.#context.isUsable) return;
    this.#timer = setTimeout(() => this.#greet(), this.#restMs);
  }

  /** Calls the engine, where it can still be called: it may fail in the call, and then everything is ended. */
  #run<R>(fn: (engine: Engine) => R): R | undefined {
    if (!this.#context.isUsable) return undefined;
    try {
      return this.#context.run(fn);
    } catch (error) {
      if (this.#context.isUsable) throw error;
      return undefined;
    }
  }

  #say(message: Uint8Array<ArrayBuffer>): void {
    try {
      this.channel.send(message);
    } catch {
      this.#finish();
    }
  }

  #finish(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    clearTimeout(this.#timer);
    this.#forgetPieces();
    this.channel.close();
    this.#over();
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
