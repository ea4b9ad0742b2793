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

/** A world of connections. `count` tells how many are open. */
export function fakeRtc(): { rtc: Rtc; count: () => number } {
  const all = new Map<string, Connection>();
  let made = 0;

  class Connection extends Target {
    iceGatheringState = "complete";
    connectionState = "new";
    localDescription: { sdp: string } | undefined;
    channel: FakeChannel | undefined;
    readonly name = `user${++made}`;
    #theirs: string | undefined;

    createDataChannel(): FakeChannel {
      this.channel = new FakeChannel();
      return this.channel;
    }

    createOffer = () => Promise.resolve({});
    createAnswer = () => Promise.resolve({});
    addIceCandidate = () => Promise.resolve();

    setLocalDescription(): Promise<void> {
      all.set(this.name, this);
      const fingerprint = Array.from({ length: 32 }, (_, at) => (made * 7 + at) % 256);
      const hex = fingerprint.map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":");
      const lines = [`a=fingerprint:sha-256 ${hex}`, `a=ice-ufrag:${this.name}`, "a=ice-pwd:secret", "a=setup:active"];
      this.localDescription = { sdp: `${lines.join("\r\n")}\r\n` };
      return Promise.resolve();
    }

    setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
      this.#theirs = /ice-ufrag:(\S+)/.exec(sdp)?.[1];
      queueMicrotask(() => this.#connect());
      return Promise.resolve();
    }

    /** Both must know of each other. */
    #connect(): void {
      const other = all.get(this.#theirs ?? "");
      if (other?.channel === undefined || this.channel === undefined || other.#theirs !== this.name) return;
      [this.channel.other, other.channel.other] = [other.channel, this.channel];
      for (const { channel } of [this, other]) channel!.tell("open");
    }

    close(): void {
      all.delete(this.name);
      this.connectionState = "closed";
      this.channel?.close();
    }
  }

  return { rtc: Connection as unknown as Rtc, count: () => all.size };
}
