/** WebRTC in one process: connections that find each other by what their descriptions say, at once. */
import type { Rtc } from "../src/peers/rtc.js";

type Listener = (event: object) => void;

class Target {
  readonly #listeners = new Map<string, Set<Listener>>();

  addEventListener(type: string, listener: Listener): void {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type)!.add(listener);
  }

  removeEventListener(type: string, listener: Listener): void {
    this.#listeners.get(type)?.delete(listener);
  }

  tell(type: string, event: object = {}): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(event);
  }
}

class FakeChannel extends Target {
  binaryType = "arraybuffer";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  other: FakeChannel | undefined;
  isClosed = false;

  send(bytes: Uint8Array): void {
    if (this.isClosed || this.other === undefined) throw new Error("the channel is not open");
    const { other } = this;
    const data = bytes.slice().buffer;
    queueMicrotask(() => other.isClosed || other.tell("message", { data }));
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    queueMicrotask(() => {
      this.tell("close");
      this.other?.close();
    });
  }
}

/** A world of connections. */
export interface FakeRtc {
  rtc: Rtc;
  /** How many are open. */
  count: () => number;
  /** How often two have found another way to each other. */
  restarts: () => number;
  /** All lose each other. */
  disconnect: () => void;
}

export function fakeRtc(): FakeRtc {
  const all = new Map<string, Connection>();
  let made = 0;
  let restarts = 0;

  class Connection extends Target {
    iceGatheringState = "complete";
    connectionState = "new";
    signalingState = "stable";
    localDescription: { sdp: string } | undefined;
    channel: FakeChannel | undefined;
    readonly #number = ++made;
    #generation = 0;
    #theirs: string | undefined;

    /** In ICE. Another one for each way. */
    get name(): string {
      return `user${this.#number}${"/".repeat(this.#generation)}`;
    }

    createDataChannel(): FakeChannel {
      this.channel = new FakeChannel();
      return this.channel;
    }

    createOffer = (options?: { iceRestart?: boolean }) => {
      if (options?.iceRestart === true) this.#rename();
      return Promise.resolve({ type: "offer" });
    };
    createAnswer = () => Promise.resolve({ type: "answer" });
    addIceCandidate = () => Promise.resolve();
    restartIce(): void {}

    #rename(): void {
      all.delete(this.name);
      this.#generation += 1;
    }

    setLocalDescription({ type }: { type: string }): Promise<void> {
      this.signalingState = type === "offer" ? "have-local-offer" : "stable";
      if (type === "rollback") return Promise.resolve();
      all.set(this.name, this);
      queueMicrotask(() => this.tell("icecandidate", { candidate: null }));
      if (type === "answer") queueMicrotask(() => this.#connect());
      const fingerprint = Array.from({ length: 32 }, (_, at) => (this.#number * 7 + at) % 256);
      const hex = fingerprint.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":");
      const lines = [`a=fingerprint:sha-256 ${hex}`, `a=ice-ufrag:${this.name}`, "a=ice-pwd:secret", "a=setup:active"];
      this.localDescription = { sdp: `${lines.join("\r\n")}\r\n` };
      return Promise.resolve();
    }

    setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
      // A browser that is free to take another role in DTLS than before may do so, and the other side refuses that.
      const isFree = type === "offer" && this.#theirs !== undefined && /^a=setup:actpass/m.test(sdp);
      if (isFree) return Promise.reject(new Error("the roles in DTLS stay as long as the connection"));
      // The answer to new credentials has new ones, too.
      if (type === "offer" && this.#theirs !== undefined) this.#rename();
      this.signalingState = type === "offer" ? "have-remote-offer" : "stable";
      this.#theirs = /ice-ufrag:(\S+)/.exec(sdp)?.[1];
      queueMicrotask(() => this.#connect());
      return Promise.resolve();
    }

    /** Both must know of each other. */
    #connect(): void {
      const other = all.get(this.#theirs ?? "");
      if (other?.channel === undefined || this.channel === undefined || other.#theirs !== this.name) return;
      for (const connection of [this, other]) connection.connectionState = "connected";
      if (this.channel.other !== undefined) {
        restarts += 1;
        return;
      }
      [this.channel.other, other.channel.other] = [other.channel, this.channel];
      for (const { channel } of [this, other]) channel!.tell("open");
    }

    close(): void {
      all.delete(this.name);
      this.connectionState = "closed";
      this.channel?.close();
    }
  }

  const disconnect = (): void => {
    for (const connection of all.values()) {
      connection.connectionState = "disconnected";
      connection.tell("connectionstatechange");
    }
  };
  return { rtc: Connection as unknown as Rtc, count: () => all.size, restarts: () => restarts, disconnect };
}
