import assert from "node:assert/strict";
import { test } from "node:test";

import { connect, greeting, until, world } from "./world.mjs";

const MALFORMED = 4000;
const TOO_LARGE = 4001;
const OUT_OF_ORDER = 4002;
const DENIED = 4004;

test("each kind of bad frame gets a close code and a reason, and the relay serves others on", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  const [writer, reader] = await Promise.all([place.replica(relay), place.replica(relay)]);
  const written = await writer.named("note", { count: 0 });
  const read = await reader.named("note", { count: 0 });

  const hello = await greeting("space");
  /** Commits: a batch of none. */
  const commits = Uint8Array.of(0x82, 0x02, 0xa1, 0x00, 0x42, 0, 0);
  const garbage = crypto.getRandomValues(new Uint8Array(200)).fill(0xff, 0, 1);
  const cases = [
    ["garbage", [garbage], MALFORMED, /malformed/],
    ["nothing at all", [new Uint8Array()], MALFORMED, /malformed/],
    ["a truncated greeting", [hello.subarray(0, -10)], MALFORMED, /malformed/],
    ["an oversized greeting", [new Uint8Array(100_000)], TOO_LARGE, /limit/],
    ["a frame before the greeting", [commits, hello], OUT_OF_ORDER, /before the greeting/],
    ["a greeting for another space", [await greeting("elsewhere")], DENIED, /another space/],
    ["garbage after the greeting", [hello, garbage], MALFORMED, /malformed/],
    ["an oversized frame", [hello, new Uint8Array(1_000_000)], TOO_LARGE, /limit/],
    ["a second greeting", [hello, hello], OUT_OF_ORDER, /second greeting/],
    ["text", ["hello"], MALFORMED, /text/],
  ];
  for (const [index, [name, frames, code, reason]] of cases.entries()) {
    await context.test(name, async () => {
      const { socket, closed } = await connect(relay);
      for (const frame of frames) socket.send(frame);
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
