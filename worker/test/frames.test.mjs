import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, until, world } from "./world.mjs";

const MALFORMED = 4000;
const TOO_LARGE = 4001;
const OUT_OF_ORDER = 4002;

/** A greeting's first bytes: a frame of type 1 with a map of which nothing follows. */
const TRUNCATED = Uint8Array.of(0x82, 0x01, 0xac, 0x00, 0x01);
/** Commits, none of them, before any greeting. */
const COMMITS = Uint8Array.of(0x82, 0x02, 0xa1, 0x00, 0x80);

const cases = [
  ["garbage", crypto.getRandomValues(new Uint8Array(100)).fill(0xff, 0, 1), MALFORMED, /malformed/],
  ["nothing at all", new Uint8Array(), MALFORMED, /malformed/],
  ["a truncated frame", TRUNCATED, MALFORMED, /malformed/],
  ["an oversized first frame", new Uint8Array(100_000), TOO_LARGE, /limit/],
  ["an oversized frame", new Uint8Array(1_000_000), TOO_LARGE, /limit/],
  ["a frame before the greeting", COMMITS, OUT_OF_ORDER, /before the greeting/],
  ["text", "hello", MALFORMED, /text/],
];

test("each kind of bad frame gets a close code and a reason, and the relay serves others on", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  const [writer, reader] = await Promise.all([place.replica(relay), place.replica(relay)]);
  const written = await writer.named("note", { count: 0 });
  const read = await reader.named("note", { count: 0 });

  for (const [index, [name, frame, code, reason]] of cases.entries()) {
    await context.test(name, async () => {
      const { socket, closed } = await connect(relay);
      socket.send(frame);
      const close = await closed;
      assert.equal(close.code, code, close.reason);
      assert.match(close.reason, reason);

      written.change((draft) => {
        draft.count = index + 1;
      });
      await until(read, () => read.value.count === index + 1, `the change after ${name}`);
    });
  }
});
