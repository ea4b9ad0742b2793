/** Replicas that meet by an invitation and link over WebRTC, in Node by the package node-datachannel. There is no relay. */
import assert from "node:assert/strict";
import { afterEach, describe, it, mock } from "node:test";
import { memory, openSpace, type Space, type Status } from "./eyot.js";

type Note = { list: string[] };

const spaces: Space[] = [];
afterEach(async () => {
  mock.timers.reset();
  await Promise.all(spaces.splice(0).map((space) => space.close()));
});

describe("an invitation", () => {
  it("links three replicas, who all come to hold the same, and go on without the first", async () => {
    const [one, two, three] = await Promise.all([openOne(), openOne(), openOne()]);
    await meet(one, two);
    await meet(two, three);
    await meet(three, one);
    await write(one, "from one");
    await write(three, "from three");
    for (const space of [one, two, three]) {
      await has(space, "from one");
      await has(space, "from three");
      await until(space, ({ peers }) => peers === 2);
      const shown = space.links().map(({ to, via, right }) => [to, via, right]);
      assert.deepEqual(shown, [
        ["replica", "webrtc", "write"],
        ["replica", "webrtc", "write"],
      ]);
    }
    await one.close();
    await until(two, ({ peers }) => peers === 1);
    await write(two, "from two");
    await has(three, "from two");
  });

  it("fits a QR code", async () => {
    const one = await openOne();
    const { text, cancel } = await one.invite();
    // A code of version 13 with medium correction holds 331 bytes.
    assert.ok(text.length < 331 && /^[1-9A-HJ-NP-Za-km-z]+$/.test(text), text);
    cancel();
  });

  it("carries a commit of many frames", async () => {
    const [one, two] = await Promise.all([openOne(), openOne()]);
    await meet(one, two);
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const file = new Uint8Array(15 * 60_000).map((_, at) => bytes[at % bytes.length]! + at / bytes.length);
    const doc = await one.named<{ file?: Uint8Array }>("file", {});
    const copy = await two.named<{ file?: Uint8Array }>("file", {});
    doc.change((draft) => void (draft.file = file));
    await new Promise<void>((resolve) => copy.subscribe(({ file }) => file && resolve()));
    assert.deepEqual(copy.value.file, file);
  });
});

async function openOne(name = "invitations"): Promise<Space> {
  const space = await openSpace(name, { storage: memory() });
  spaces.push(space);
  return space;
}

/** One invites, the other joins. */
async function meet(one: Space, other: Space): Promise<void> {
  const invitation = await one.invite();
  const { answer } = await other.join(invitation.text);
  await invitation.accept(answer);
}

const note = (space: Space) => space.named<Note>("note", { list: [] });

async function write(space: Space, item: string): Promise<void> {
  (await note(space)).change(({ list }) => void list.push(item));
}

async function has(space: Space, item: string): Promise<void> {
  const doc = await note(space);
  await new Promise<void>((resolve) => {
    const look = ({ list }: { readonly list: readonly string[] }) => list.includes(item) && resolve();
    doc.subscribe(look);
    look(doc.value);
  });
}

function until(space: Space, wanted: (status: Status) => boolean): Promise<Status> {
  return new Promise((resolve) => {
    const stop = space.subscribe(look);
    function look(status: Status): void {
      if (!wanted(status)) return;
      stop();
      resolve(status);
    }
    look(space.status);
  });
}
