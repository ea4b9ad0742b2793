import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { connect, until, world } from "./world.mjs";

const FAULTY = fileURLToPath(new URL("faulty-worker.mjs", import.meta.url));
const STORAGE = 4008;

test("a relay whose disk is full says so, acknowledges nothing, and goes on once there is room", async (context) => {
  const place = await world(context, FAULTY);
  const relay = await place.relay();
  const disk = (state) => fetch(`${relay.url.replace("ws:", "http:")}/disk/${state}`);
  const replica = await place.replica(relay);
  const doc = await replica.named("note", { count: 0 });
  await replica.durable();
  const { closed } = await connect(relay);

  await disk("full");
  const commit = doc.change((draft) => {
    draft.count = 1;
  });
  const { code, reason } = await closed;
  assert.equal(code, STORAGE);
  assert.match(reason, /SQLITE_FULL/);
  await until(replica, () => replica.status.state !== "live", "the end of the link");
  assert.equal(replica.status.unsent, 1);

  await disk("mended");
  await commit.durable();
  assert.equal(replica.status.unsent, 0);
});
