import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { cp, rm } from "node:fs/promises";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";

import {
  connect,
  counter,
  eventually,
  greeting,
  recorded,
  speakAfterSleep,
  speakWithoutSleep,
  until,
  world,
} from "./world.mjs";

/** Types of frames. */
const COMMITS = 2;
const PIECE = 3;
const CREDIT = 5;
const HEAD = 11;

/** What a relay on this platform sends beyond what the other side is known to have read. */
const UNREAD_BYTES = 512 * 1024;

const KILLS = 20;
const WRITES_BETWEEN_KILLS = 30;

test("two replicas see each other's changes through the relay", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  const [one, two] = await Promise.all([place.replica(relay), place.replica(relay)]);
  const [left, right] = await Promise.all([one, two].map((space) => space.named("list", { left: "", right: "" })));
  left.change((draft) => {
    draft.left = "from the left";
  });
  right.change((draft) => {
    draft.right = "from the right";
  });
  const both = { left: "from the left", right: "from the right" };
  const equal = (doc) => doc.value.left === both.left && doc.value.right === both.right;
  await Promise.all([left, right].map((doc) => until(doc, () => equal(doc), "both changes")));
  assert.deepEqual(left.value, right.value);
});

test("a space has a relay of its own and hears nothing of others", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  const [one, two] = await Promise.all([place.replica(relay, "one"), place.replica(relay, "two ü/?")]);
  const doc = one.create({ secret: true });
  await one.durable();
  await two.synced();
  assert.equal(two.documents().length, 0);
  assert.equal(doc.value.secret, true);
});

test("kill -9 of workerd, twenty times: what was acknowledged is there, the rest is sent again", async (context) => {
  const place = await world(context);
  let relay = await place.relay();
  const writer = await place.replica(relay);
  const doc = await writer.named("counts", { written: {} });

  const durable = new Set();
  let written = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // The first of a round waits, so that each round is known to have reached the relay.
    for (let index = 0; index < WRITES_BETWEEN_KILLS; index++) {
      const number = written++;
      const commit = doc.change((draft) => {
        draft.written[number] = true;
      });
      const stored = commit.durable().then(() => durable.add(number));
      if (index === kill % WRITES_BETWEEN_KILLS) await stored;
    }
    await relay.stop();

    // At an address that the writer does not know, so that it can't mend what is missing.
    const promised = [...durable];
    const survivor = await place.relay();
    const witness = await place.replica(survivor);
    await witness.synced();
    const seen = (await witness.named("counts", { written: {} })).value.written;
    const lost = promised.filter((number) => !(number in seen));
    assert.deepEqual(lost, [], `lost after kill ${kill + 1}`);
    await witness.close();
    await survivor.stop();

    relay = await place.relay({ port: relay.port });
  }
  await writer.durable();
  const reader = await place.replica(relay);
  await reader.synced();
  const seen = (await reader.named("counts", { written: {} })).value.written;
  assert.equal(Object.keys(seen).length, written);
});

test("a relay that lost its folder is healed by a replica, for a replica that never met it", async (context) => {
  const place = await world(context);
  const first = await place.relay();
  const old = await place.replica(first);
  const doc = await old.named("note", { text: "" });
  doc.change((draft) => {
    draft.text = "written before the loss";
  });
  await old.durable();
  await first.stop();
  await rm(place.data, { recursive: true });

  const second = await place.relay({ port: first.port });
  doc.change((draft) => {
    draft.text += ", and after";
  });
  await old.durable();
  const young = await place.replica(second);
  await young.synced();
  assert.deepEqual((await young.named("note", { text: "" })).value, { text: "written before the loss, and after" });
});

test("a relay put back to an older copy of its folder is healed by a replica", async (context) => {
  const place = await world(context);
  const copy = `${place.data}-copy`;
  context.after(() => rm(copy, { recursive: true, force: true }));
  const write = async (space, key) => {
    const doc = await space.named("keys", {});
    doc.change((draft) => {
      draft[key] = true;
    });
    await space.durable();
  };

  let relay = await place.relay();
  const old = await place.replica(relay);
  await write(old, "before the copy");
  await relay.stop();
  await cp(place.data, copy, { recursive: true });

  relay = await place.relay({ port: relay.port });
  await write(old, "after the copy");
  await relay.stop();
  await rm(place.data, { recursive: true });
  await cp(copy, place.data, { recursive: true });

  relay = await place.relay({ port: relay.port });
  await write(old, "after the return");
  const young = await place.replica(relay);
  await young.synced();
  const keys = Object.keys((await young.named("keys", {})).value).sort();
  assert.deepEqual(keys, ["after the copy", "after the return", "before the copy"]);
});

test("a relay that was asleep goes on with the connections that it had", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  const one = await place.replica(relay);
  await one.synced();
  const two = await place.replica(relay);
  await two.synced();
  const [left, right] = await Promise.all([one, two].map((space) => space.named("count", { count: 0 })));
  left.change((draft) => {
    draft.count = 1;
  });
  await until(right, () => right.value.count === 1, "the first change");
  await speakAfterSleep(relay, async () => {
    left.change((draft) => {
      draft.count = 2;
    });
    await until(right, () => right.value.count === 2, "the change after the sleep");
  });
  assert.equal(await counter(relay, "eyot_connections_accepted_total"), 2);
  assert.equal(await counter(relay, 'eyot_commits_total{direction="in"}'), 2);
});

test("a relay stays awake for the rest of a commit in pieces", async (context) => {
  const place = await world(context);
  const large = { bytes: new Uint8Array(randomBytes(600_000)) };
  const isPart = (frame) => frame[1] === COMMITS || frame[1] === PIECE;
  const parts = (await recorded(place, "space", large)).filter(isPart);
  assert.equal(parts[0][1], PIECE);

  const relay = await place.relay();
  const { socket } = await connect(relay);
  socket.send(await greeting("space"));
  socket.send(parts[0]);
  await speakWithoutSleep(relay, async () => {
    for (const part of parts.slice(1)) socket.send(part);
    await eventually(async () => (await counter(relay, 'eyot_commits_total{direction="in"}')) === 1, "the commit");
  });
});

test("a connection is sent no more than it says that it has read, however much it grants", async (context) => {
  const place = await world(context);
  const relay = await place.relay();
  const writer = await place.replica(relay);
  for (let number = 0; number < 12; number += 1) writer.create({ bytes: new Uint8Array(randomBytes(250_000)) });
  await writer.durable();

  const { socket } = await connect(relay);
  let received = 0;
  let question;
  const read = (frame) => {
    received += frame.length;
    if (frame[1] === HEAD && frame[2] === 0xa1) question = frame;
  };
  socket.on("message", read);
  socket.send(await greeting("space"));
  // 64 MiB of credit.
  socket.send(Uint8Array.of(0x82, CREDIT, 0x1a, 4, 0, 0, 0));
  const receives = (holds, what) =>
    eventually(async () => {
      await setImmediate();
      return holds();
    }, what);
  await receives(() => question !== undefined && received > UNREAD_BYTES / 2, "some of the log");
  // The relay has its turns, and others are served.
  const other = await place.replica(relay);
  await other.synced();
  assert.ok(received < 2 * UNREAD_BYTES, `${received} bytes`);

  // Whoever says that it reads gets all of it.
  const answer = ([, , , , ...nonce]) => Uint8Array.of(0x82, HEAD, 0xa2, 0, ...nonce, 1, 0x50, ...Array(16).fill(0));
  socket.send(answer(question));
  socket.on("message", (frame) => {
    if (frame[1] === HEAD && frame[2] === 0xa1) socket.send(answer(frame));
  });
  await receives(() => received > 12 * 250_000, "the rest of the log");
  socket.terminate();
});
