/**
 * A connection of WebRTC with one data channel, which is agreed on beforehand, so that neither side has to wait for it.
 * How descriptions get to the other side is not decided here.
 */
import { EyotError } from "../base/error.js";
import type { Channel, ChannelListener } from "./channel.js";
import { candidatesOf, ofSdp, setupOf, toSdp, type Description, type Setup } from "./description.js";
import type { IceServer } from "./types.js";

/** The class of the platform, or one like it. */
export type Rtc = new (configuration?: RTCConfiguration) => RTCPeerConnection;

/** How long addresses of this device are looked for. What was not found by then is left out. */
const GATHER_MS = 2_000;
/**
 * Who answers does not try the other side's addresses before that. That side has the first word, once it has the answer:
 * Node's WebRTC fails now and then where somebody tries while it takes the answer in.
 */
const HOLD_MS = 2_000;
/** Messages of this size pass everywhere. */
const MESSAGE_BYTES_MAX = 16 * 1024;
/** What the platform is given at once: its own queue ends in an exception. The rest waits here. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
const BUFFERED_BYTES_LOW = 256 * 1024;
/** The engine sends no more than this to who does not read. */
const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** How long what was sent last may take to be gone. */
const CLOSE_MS = 2_000;

export class RtcConnection {
  /** Called when the other side can't be reached the way that it was. That may pass. */
  disconnected: () => void = () => undefined;
  /** Resolves once the other side is connected. */
  readonly opened: Promise<RtcChannel>;
  readonly #connection: RTCPeerConnection;
  #channel: RtcChannel | undefined;
  #resolve: (channel: Promise<RtcChannel>) => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(rtc: Rtc, iceServers: readonly IceServer[]) {
    // A copy: the platform may change its own.
    this.#connection = new rtc({ iceServers: structuredClone(iceServers) as RTCIceServer[] });
    this.opened = new Promise((resolve) => (this.#resolve = resolve));
    this.opened.catch(() => undefined);
    this.#connection.addEventListener("connectionstatechange", () => {
      if (this.#connection.connectionState === "disconnected") this.disconnected();
    });
  }

  get isDisconnected(): boolean {
    return this.#connection.connectionState === "disconnected";
  }

  /** What the other side must know of this one. */
  async offer(): Promise<Description> {
    const connection = this.#connection;
    this.#open();
    await connection.setLocalDescription(await connection.createOffer());
    return (await this.#gathered()).description;
  }

  /** Takes an offer; what is said of this side in return goes back to who made it. */
  async answer(offer: Description): Promise<{ description: Description; setup: Setup }> {
    const connection = this.#connection;
    await connection.setRemoteDescription({ type: "offer", sdp: toSdp({ ...offer, candidates: [] }, "actpass") });
    // Not before: Node's WebRTC makes an offer of its own for a channel.
    this.#open();
    await connection.setLocalDescription(await connection.createAnswer());
    const made = await this.#gathered();
    this.#timer = setTimeout(() => this.#try(offer), HOLD_MS);
    return made;
  }

  async accept(answer: Description, setup: Setup): Promise<void> {
    await this.#connection.setRemoteDescription({ type: "answer", sdp: toSdp(answer, setup) });
  }

  // Another way for a connection that is there (a restart of ICE). What is under way on it stays.

  /** Looks for ways anew: what the other side must know of them. Undefined where this platform can't. */
  async restart(): Promise<Description | undefined> {
    const connection = this.#connection;
    if (typeof connection.restartIce !== "function" || connection.signalingState !== "stable") return undefined;
    const gathered = this.#gatheredAnew();
    await connection.setLocalDescription(await connection.createOffer({ iceRestart: true }));
    await gathered;
    return this.#described().description;
  }

  /** The other side looks for ways anew. */
  async takeRestart(offer: Description): Promise<{ description: Description; setup: Setup }> {
    const connection = this.#connection;
    // Where both do so at once, this takes back what this side has begun.
    await connection.setRemoteDescription({ type: "offer", sdp: toSdp(offer, "actpass") });
    const gathered = this.#gatheredAnew();
    await connection.setLocalDescription(await connection.createAnswer());
    await gathered;
    return this.#described();
  }

  /** The other side has not answered, or the answer can't be used. */
  async forgetRestart(): Promise<void> {
    const connection = this.#connection;
    if (connection.signalingState === "have-local-offer") await connection.setLocalDescription({ type: "rollback" });
  }

  /** The state of before says that all is gathered: only the event tells of what is looked for anew. */
  #gatheredAnew(): Promise<void> {
    return new Promise((resolve) => {
      const connection = this.#connection;
      const timer = setTimeout(done, GATHER_MS);
      connection.addEventListener("icecandidate", look);
      function look({ candidate }: RTCPeerConnectionIceEvent): void {
        if (candidate === null || candidate.candidate === "") done();
      }
      function done(): void {
        clearTimeout(timer);
        connection.removeEventListener("icecandidate", look);
        resolve();
      }
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.#channel === undefined) this.#connection.close();
    else this.#channel.close();
  }

  #open(): void {
    const channel = new RtcChannel(
      this.#connection,
      this.#connection.createDataChannel("eyot", { negotiated: true, id: 0 }),
    );
    this.#channel = channel;
    this.#resolve(channel.opened.then(() => channel));
  }

  /** Tries the other side's addresses. */
  #try(offer: Description): void {
    for (const candidate of candidatesOf(offer)) {
      // One that can't be tried is one less.
      this.#connection.addIceCandidate({ candidate, sdpMid: "0" }).catch(() => undefined);
    }
  }

  async #gathered(): Promise<{ description: Description; setup: Setup }> {
    const connection = this.#connection;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, GATHER_MS);
      connection.addEventListener("icegatheringstatechange", look);
      look();
      function look(): void {
        if (connection.iceGatheringState === "complete") done();
      }
      function done(): void {
        clearTimeout(timer);
        connection.removeEventListener("icegatheringstatechange", look);
        resolve();
      }
    });
    return this.#described();
  }

  #described(): { description: Description; setup: Setup } {
    const sdp = this.#connection.localDescription?.sdp ?? "";
    const description = ofSdp(sdp);
    if (description === undefined) {
      throw new EyotError("unavailable", "this platform's WebRTC describes itself in another way than is known here");
    }
    return { description, setup: setupOf(sdp) };
  }
}

export class RtcChannel implements Channel {
  readonly via = "webrtc";
  readonly messageBytesMax = MESSAGE_BYTES_MAX;
  readonly opened: Promise<void>;
  readonly #connection: RTCPeerConnection;
  readonly #channel: RTCDataChannel;
  #listener: ChannelListener | undefined;
  /** What came while nobody listened. */
  #came: Uint8Array[] = [];
  /** What waits for the platform's queue to run low. */
  readonly #queue: Uint8Array<ArrayBuffer>[] = [];
  #queueBytes = 0;
  #wasOpen = false;
  #isClosed = false;
  #settle: { resolve: () => void; reject: (error: EyotError) => void } | undefined;

  constructor(connection: RTCPeerConnection, channel: RTCDataChannel) {
    this.#connection = connection;
    this.#channel = channel;
    this.opened = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.opened.catch(() => undefined);
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = BUFFERED_BYTES_LOW;
    channel.addEventListener("open", this.#open);
    channel.addEventListener("message", this.#message);
    channel.addEventListener("bufferedamountlow", this.#low);
    channel.addEventListener("close", this.#gone);
    // A close event follows. In Node an error that nobody listens to might end the process.
    channel.addEventListener("error", ignored);
    connection.addEventListener("connectionstatechange", this.#state);
  }

  /** Whom to tell from now on, and of all that has come meanwhile. */
  listen(listener: ChannelListener | undefined): void {
    this.#listener = listener;
    while (this.#listener !== undefined && this.#came.length > 0) this.#listener.message(this.#came.shift()!);
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    if (this.#isClosed) throw new EyotError("closed", "the channel is closed");
    if (this.#queue.length === 0 && this.#channel.bufferedAmount < BUFFERED_BYTES_MAX) {
      this.#channel.send(message);
      return;
    }
    this.#queueBytes += message.length;
    if (this.#queueBytes > QUEUE_BYTES_MAX) throw new EyotError("quota", "the other side does not read");
    this.#queue.push(message);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#came = [];
    this.#queue.length = 0;
    this.#settle?.reject(new EyotError("closed", "the connection was closed"));
    this.#channel.removeEventListener("open", this.#open);
    this.#channel.removeEventListener("message", this.#message);
    this.#channel.removeEventListener("bufferedamountlow", this.#low);
    this.#channel.removeEventListener("close", this.#gone);
    this.#connection.removeEventListener("connectionstatechange", this.#state);
    const connection = this.#connection;
    this.#channel.close();
    if (!this.#wasOpen) return connection.close();
    // A connection that is closed at once takes along what was just sent, such as the reason.
    const timer = setTimeout(() => connection.close(), CLOSE_MS);
    this.#channel.addEventListener("close", () => {
      clearTimeout(timer);
      connection.close();
    });
  }

  readonly #open = (): void => {
    this.#wasOpen = true;
    this.#settle?.resolve();
  };

  readonly #message = ({ data }: MessageEvent<unknown>): void => {
    // Texts are not of this package.
    if (typeof data === "string") return;
    const bytes = new Uint8Array(data as ArrayBuffer);
    if (this.#listener !== undefined) this.#listener.message(bytes);
    else if (this.#came.length < 8) this.#came.push(bytes);
    // Nobody says so much before it is known who it is.
    else this.#gone();
  };

  readonly #low = (): void => {
    try {
      while (this.#queue.length > 0 && this.#channel.bufferedAmount < BUFFERED_BYTES_MAX) {
        const message = this.#queue.shift()!;
        this.#queueBytes -= message.length;
        this.#channel.send(message);
      }
    } catch {
      this.#gone();
    }
  };

  /**
   * `disconnected` may pass: the engine asks by itself whether the other side is there. Before the channel is open
   * `failed` may pass, too: the other side may not have tried yet.
   */
  readonly #state = (): void => {
    const state = this.#connection.connectionState;
    if (state === "closed" || (state === "failed" && this.#wasOpen)) this.#gone();
  };

  readonly #gone = (): void => {
    this.#settle?.reject(new EyotError("unavailable", "the two devices can't reach each other"));
    const listener = this.#listener;
    this.close();
    listener?.closed();
  };
}

function ignored(): void {}
