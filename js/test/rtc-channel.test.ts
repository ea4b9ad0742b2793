/** What a channel of WebRTC does with a platform whose queue is full, or that fails. */
import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";
import { RtcChannel } from "../src/peers/rtc.js";

const MIB = 1024 * 1024;

/** A data channel that sends nothing before it is told to. */
class FakeChannel extends EventTarget {
  binaryType = "blob";
  bufferedAmountLowThreshold = 0;
  bufferedAmount = 0;
  readonly sent: number[] = [];
  error: Error | undefined;
  isClosed = false;

  send(message: Uint8Array): void {
    if (this.error !== undefined) throw this.error;
    this.sent.push(message[0]!);
    this.bufferedAmount += message.length;
  }

  close(): void {
    this.isClosed = true;
  }

  /** The platform has sent all. */
  drain(): void {
    this.bufferedAmount = 0;
    this.dispatchEvent(new Event("bufferedamountlow"));
  }
}

class FakeConnection extends EventTarget {
  connectionState = "connected";
  isClosed = false;

  close(): void {
    this.isClosed = true;
  }
}

let fake: FakeChannel;
let connection: FakeConnection;
let channel: RtcChannel;
let closed: number;
beforeEach(() => {
  fake = new FakeChannel();
  connection = new FakeConnection();
  channel = new RtcChannel(connection as unknown as RTCPeerConnection, fake as unknown as RTCDataChannel);
  closed = 0;
  channel.listen({ message: () => undefined, closed: () => (closed += 1) });
  fake.dispatchEvent(new Event("open"));
});

const message = (n: number, bytes = MIB / 64): Uint8Array<ArrayBuffer> => new Uint8Array(bytes).fill(n);

describe("a channel of WebRTC", () => {
  it("gives the platform a mebibyte at once, and the rest in order as that is sent", () => {
    for (let n = 0; n < 200; n++) channel.send(message(n));
    assert.equal(fake.sent.length, 64);
    for (let n = 0; n < 3; n++) fake.drain();
    assert.deepEqual(
      fake.sent,
      Array.from({ length: 200 }, (_, n) => n),
    );
    channel.send(message(200));
    assert.equal(fake.sent.at(-1), 200);
  });

  it("refuses more than 16 MiB that wait", () => {
    const send = () => channel.send(message(0, MIB));
    for (let n = 0; n < 17; n++) send();
    assert.throws(send, { code: "quota" });
  });

  it("does not swallow that nothing can be sent: at once by an exception, later by its end", () => {
    for (let n = 0; n < 100; n++) channel.send(message(n));
    fake.error = new Error("the queue is full");
    fake.drain();
    assert.equal(closed, 1);
    assert.throws(() => channel.send(message(0)), { code: "closed" });
  });

  it("passes on the platform's own exception", () => {
    fake.error = new Error("not open");
    assert.throws(() => channel.send(message(0)), /not open/);
  });

  it("ends with its connection, and not while that may recover", () => {
    for (const state of ["disconnected", "connected", "failed"]) {
      connection.connectionState = state;
      connection.dispatchEvent(new Event("connectionstatechange"));
      assert.equal(closed, state === "failed" ? 1 : 0, state);
    }
    assert.ok(fake.isClosed);
  });

  it("frees the connection once what was said last is gone, and after a while in any case", () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      channel.send(message(1));
      channel.close();
      channel.close();
      assert.deepEqual([fake.isClosed, connection.isClosed], [true, false]);
      mock.timers.tick(2_000);
      assert.ok(connection.isClosed);
      fake.dispatchEvent(new Event("close"));
      fake.dispatchEvent(new MessageEvent("message", { data: new ArrayBuffer(1) }));
      assert.equal(closed, 0, "who closes it is told nothing");
    } finally {
      mock.timers.reset();
    }
  });

  it("keeps a few messages for who listens later, and ends where they are too many", () => {
    const late = new RtcChannel(connection as unknown as RTCPeerConnection, fake as unknown as RTCDataChannel);
    const say = (n: number) => fake.dispatchEvent(new MessageEvent("message", { data: new Uint8Array([n]).buffer }));
    for (let n = 0; n < 8; n++) say(n);
    const heard: number[] = [];
    late.listen({ message: ([n]) => heard.push(n!), closed: () => undefined });
    assert.deepEqual(heard, [0, 1, 2, 3, 4, 5, 6, 7]);
    const flooded = new RtcChannel(connection as unknown as RTCPeerConnection, fake as unknown as RTCDataChannel);
    for (let n = 0; n < 9; n++) say(n);
    assert.throws(() => flooded.send(message(0)), { code: "closed" });
  });
});
