/** What a replica makes of a port at whose other end something else speaks than it expects. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { MessageChannel, type MessagePort as NodePort } from "node:worker_threads";
import {
  CLOSE_DENIED,
  CLOSE_GOING_AWAY,
  CLOSE_INCOMPATIBLE,
  CLOSE_MALFORMED,
  CLOSE_TOO_LARGE,
} from "../src/base/close-codes.js";
import {
  answers,
  bye,
  frame,
  FRAME_BYTES_MAX,
  hello,
  RANDOM_BYTES,
  read,
  type Message,
} from "../src/peers/messages.js";
import { memory, openSpace, type Space } from "./eyot.js";

const LOW = new Uint8Array(RANDOM_BYTES);
const HIGH = new Uint8Array(RANDOM_BYTES).fill(255);

let space: Space;
let peer: Peer;
beforeEach(async () => {
  space = await openSpace("ports", { storage: memory() });
  peer = new Peer();
  space.connect(peer.given);
});
afterEach(async () => {
  await space.close();
  peer.port.close();
});

/** The other end of the port that a space is given. */
class Peer {
  readonly port: NodePort;
  readonly given: MessagePort;
  /** The bytes of frames that have come. */
  bytes = 0;
  /** The random bytes of the space's last Hello. */
  random = new Uint8Array();
  readonly #came: Message[] = [];
  #wake = (): void => undefined;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.given = port2 as unknown as MessagePort;
    port1.on("message", (data: ArrayBuffer) => {
      const message = read(new Uint8Array(data))!;
      if (message.kind === "hello") this.random = new Uint8Array(message.random);
      if (message.kind === "frame") this.bytes += message.bytes.length;
      this.#came.push(message);
      this.#wake();
    });
  }

  say(bytes: Uint8Array): void {
    const { buffer } = new Uint8Array(bytes);
    this.port.postMessage(buffer, [buffer]);
  }

  /** The next message of that kind; others before it are dropped. */
  async next<K extends Message["kind"]>(kind: K): Promise<Extract<Message, { kind: K }>> {
    for (;;) {
      const message = this.#came.shift();
      if (message?.kind === kind) return message as Extract<Message, { kind: K }>;
      if (message === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async bye(code: number, reason: RegExp): Promise<void> {
    const message = await this.next("bye");
    assert.equal(message.code, code);
    assert.match(message.reason, reason);
  }
}

describe("the side with the lower number", () => {
  it("waits for the other one's greeting", async () => {
    peer.say(hello(HIGH));
    await peer.next("hello");
    peer.say(bye(peer.random, CLOSE_GOING_AWAY, ""));
    peer.say(hello(LOW));
    await peer.next("hello");
    const { bytes, isLast } = await peer.next("frame");
    assert.ok(bytes.length > 0 && isLast, "now the replica has the higher one, and greets");
  });
});

describe("what is not of this package", () => {
  it("is ignored before there is a link", async () => {
    await peer.next("hello");
    for (const message of [null, "text", { eyot: 1 }, [1, 2], new Uint8Array(3), 1n]) peer.port.postMessage(message);
    peer.say(new Uint8Array());
    peer.say(new Uint8Array([1, 2, 3]));
    peer.say(new Uint8Array(1_000_000));
    peer.say(hello(LOW).slice(1));
    peer.say(hello(LOW));
    await peer.next("frame");
    assert.equal(space.status.error, undefined);
  });

  it("ends a link where it is bytes, with the reason, and is ignored where it is not", async () => {
    peer.say(hello(LOW));
    await peer.next("frame");
    peer.port.postMessage({ type: "of the application" });
    peer.say(new Uint8Array([77]));
    await peer.bye(CLOSE_MALFORMED, /none of eyot's/);
    peer.say(hello(LOW));
    await peer.next("hello");
    await peer.next("frame");
  });

  it("ends a link where it is no frame of the protocol", async () => {
    peer.say(hello(LOW));
    await peer.next("frame");
    for (const message of frame(new Uint8Array([255, 0, 1]), 100)) peer.say(message);
    await peer.bye(CLOSE_MALFORMED, /./);
  });
});

describe("a link", () => {
  it("ends where a frame is over the limit, in one message or in pieces", async () => {
    const large = new Uint8Array(FRAME_BYTES_MAX + 1);
    for (const size of [FRAME_BYTES_MAX + 2, 16 * 1024]) {
      peer.say(hello(LOW));
      await peer.next("frame");
      for (const message of frame(large, size)) peer.say(message);
      await peer.bye(CLOSE_TOO_LARGE, /over the limit/);
    }
  });

  it("ends where pieces of a frame never end", async () => {
    peer.say(hello(LOW));
    await peer.next("frame");
    for (let n = 0; n < 100; n++) peer.say(new Uint8Array([3]));
    await peer.bye(CLOSE_TOO_LARGE, /over the limit/);
  });

  it("is refused for good where the other side speaks a later version, and the status says so", async () => {
    const later = hello(LOW);
    later[5] = 2;
    peer.say(later);
    await peer.bye(CLOSE_INCOMPATIBLE, /version 2/);
    assert.equal(space.status.error?.code, "incompatible");
    const again = hello(HIGH);
    peer.say(again);
    const { named } = await peer.next("bye");
    assert.ok(answers(named, HIGH), "that is said to every greeting");
  });

  it("is refused where somebody sends back what the replica says", async () => {
    const { random } = await peer.next("hello");
    peer.say(hello(random));
    await peer.bye(4002, /both ends/);
    assert.equal(space.status.error?.code, "invalid");
  });

  it("is begun anew by a greeting, at any time", async () => {
    for (let n = 0; n < 5; n++) {
      peer.say(hello(LOW));
      await peer.next("frame");
    }
    assert.equal(space.status.error, undefined);
  });

  it("is refused where somebody greets again and again, as each link has prices of its own", async () => {
    for (let n = 0; n < 40; n++) peer.say(hello(LOW));
    await peer.bye(CLOSE_DENIED, /too many greetings/);
    assert.equal(space.status.error?.code, "denied");
  });

  it("that ended for a reason that may pass is begun anew after a while", async () => {
    peer.say(hello(LOW));
    await peer.next("frame");
    const { random } = peer;
    peer.say(bye(random, CLOSE_GOING_AWAY, "for now"));
    await peer.next("hello");
    assert.notDeepEqual(peer.random, random);
    peer.say(hello(LOW));
    await peer.next("frame");
    assert.equal(space.status.error, undefined);
  });

  it("ends with a Bye that answers the last greeting, and with no other", async () => {
    peer.say(hello(LOW));
    await peer.next("frame");
    peer.say(bye(HIGH, 4004, "of the link before"));
    peer.say(bye(peer.random, 4004, "not you"));
    await new Promise<void>((resolve) => space.subscribe(({ error }) => error && resolve()));
    assert.equal(space.status.error?.code, "denied");
    assert.match(space.status.error!.message, /not you/);
  });
});

describe("connect()", () => {
  it("refuses what is no port, and a port that it has", () => {
    const none: unknown[] = [undefined, null, 1, "port", {}, { postMessage() {} }, new Uint8Array(1)];
    for (const port of none) assert.throws(() => space.connect(port as MessagePort), { code: "invalid" });
    assert.throws(() => space.connect(peer.given), { code: "invalid", message: /before/ });
  });

  it("is refused by a closed space", async () => {
    await space.close();
    const late = new Peer();
    assert.throws(() => space.connect(late.given), { code: "closed" });
    late.port.close();
    assert.throws(() => space.links(), { code: "closed" });
  });
});

it("what waits for a side that does not read is bounded", async () => {
  const other = await openSpace("ports", { storage: memory() });
  const [near, far] = [new Peer(), new Peer()];
  let isRead = true;
  // Between the two is a port at which the test may stop to read what the first one sends.
  let held = 0;
  near.port.on("message", (data: ArrayBuffer) => {
    held += data.byteLength;
    if (isRead) far.port.postMessage(data, [data]);
  });
  far.port.on("message", (data: ArrayBuffer) => near.port.postMessage(data, [data]));
  space.connect(near.given);
  other.connect(far.given);
  const doc = await space.named<{ file?: Uint8Array }>("file", {});
  const copy = await other.named<{ file?: Uint8Array }>("file", {});
  const write = () => doc.change((draft) => void (draft.file = crypto.getRandomValues(new Uint8Array(60_000))));
  write();
  await new Promise<void>((resolve) => copy.subscribe(() => resolve()));
  isRead = false;
  held = 0;
  const all = 400;
  for (let n = 0; n < all; n++) await write().saved;
  assert.ok(held < 10 * 1024 * 1024, `${held} bytes of ${all * 60_000}`);
  await other.close();
});
