/** Replicas that meet by an invitation and link over WebRTC, in Node by the package node-datachannel. There is no relay. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it, mock } from "node:test";
import bs58check from "bs58check";
import type { Description } from "../src/peers/description.js";
import { answer, invite, proofOf, readAnswer, readInvitation } from "../src/peers/invitation.js";
import { findRtc } from "../src/peers/node-rtc.js";
import { prove } from "../src/peers/proof.js";
import { RtcConnection } from "../src/peers/rtc.js";
import { openOn } from "../src/space/open.js";
import { directory, EyotError, memory, openSpace, WASM, type Space } from "./eyot.js";
import { has, note, until, write } from "./notes.js";

const NOTHING = new Uint8Array(32);

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

describe("whoever is invited to read", () => {
  it("is sent to, brings nothing, and can invite to nothing else", async () => {
    const [writer, reader, third] = await Promise.all([openOne(), openOne(), openOne()]);
    await write(reader, "of the reader");
    await meet(writer, reader, "read");
    await write(writer, "of the writer");
    await has(reader, "of the writer");
    assert.equal((await note(writer)).value.list.includes("of the reader"), false);
    assert.deepEqual(
      [writer, reader].map((space) => space.links()[0]?.right),
      ["read", "read"],
    );
    await assert.rejects(reader.invite({ right: "write" }), { code: "denied" });
    // The writer has one link, on which the other may only read; it may write all the same.
    await meet(writer, third, "write");
    await meet(reader, third);
    await until(third, ({ peers }) => peers === 2);
    await until(reader, ({ peers }) => peers === 2);
    assert.deepEqual(
      third
        .links()
        .map(({ right }) => right)
        .sort(),
      ["read", "write"],
    );
  });
});

describe("what is refused", () => {
  it("texts that are no invitation, or no answer to it", async () => {
    const [one, other] = await Promise.all([openOne(), openOne()]);
    const [invitation, second] = [await one.invite(), await one.invite()];
    const { text } = invitation;
    const { answer } = await other.join(second.text);
    const swapped = text.slice(0, 50) + (text[50] === "2" ? "3" : "2") + text.slice(51);
    const none = [
      "",
      " ",
      "hello",
      "0OIl",
      text.slice(1),
      text.slice(0, -1),
      swapped,
      text + text,
      "z".repeat(100_000),
    ];
    const kinds: [unknown, RegExp][] = [
      ...none.map((text): [unknown, RegExp] => [text, /not an invitation, or a part of it is missing/]),
      [answer, /this is an answer to an invitation, and not an invitation/],
      [undefined, /is a string, not undefined/],
      [new Uint8Array(3), /not an Uint8Array/],
      ["a\ud83d", /well-formed/],
    ];
    for (const [text, message] of kinds) {
      await assert.rejects(other.join(text as string), { code: "invalid", message }, String(text).slice(0, 40));
    }
    const answers: [unknown, RegExp][] = [
      ...["", "hello", answer.slice(0, -1)].map((text): [unknown, RegExp] => [text, /a part of it is missing/]),
      [text, /this is an invitation, and not an answer/],
      [answer, /the answer to another invitation/],
      [null, /is a string, not null/],
    ];
    for (const [text, message] of answers) {
      await assert.rejects(invitation.accept(text as string), { code: "invalid", message });
    }
    // It is good all the same, also where it was broken into lines on its way.
    const given = await other.join(` ${text.slice(0, 100)}\n ${text.slice(100)}\n`);
    await invitation.accept(given.answer);
    await until(other, ({ peers }) => peers === 1);
  });

  it("an invitation to another space", async () => {
    const [one, other] = await Promise.all([openOne(), openOne("another")]);
    const { text } = await one.invite();
    await assert.rejects(other.join(text), { code: "incompatible", message: /another space/ });
  });

  it("an invitation of a later version", async () => {
    const [one, other] = await Promise.all([openOne(), openOne()]);
    const bytes = bs58check.decode((await one.invite()).text);
    bytes[0] = 2;
    await assert.rejects(other.join(bs58check.encode(bytes)), { code: "incompatible", message: /version 2/ });
  });

  it("an invitation that is too old, on both sides", async () => {
    const [one, other] = await Promise.all([openOne(), openOne()]);
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
    const invitation = await one.invite();
    const { answer } = await other.join(invitation.text);
    mock.timers.tick(10 * 60_000);
    await assert.rejects(invitation.accept(answer), { code: "expired" });
    await assert.rejects(other.join(invitation.text), { code: "expired" });
  });

  it("a second answer, and a second use", async () => {
    const [one, two, three] = await Promise.all([openOne(), openOne(), openOne()]);
    const invitation = await one.invite();
    const [first, second] = [await two.join(invitation.text), await three.join(invitation.text)];
    const accepted = invitation.accept(first.answer);
    await assert.rejects(invitation.accept(second.answer), { code: "denied", message: /one answer/ });
    await accepted;
    await assert.rejects(invitation.accept(first.answer), { code: "denied", message: /one answer/ });
    await until(two, ({ peers }) => peers === 1);
    assert.equal(three.status.peers, 0);
  });

  it("an invitation that was cancelled, before and while it is answered", async () => {
    const [one, other] = await Promise.all([openOne(), openOne()]);
    const { text, accept, cancel } = await one.invite();
    const { answer } = await other.join(text);
    cancel();
    cancel();
    await assert.rejects(accept(answer), { code: "closed" });
    const invitation = await one.invite();
    const given = await other.join(invitation.text);
    await other.close();
    const accepted = invitation.accept(given.answer);
    invitation.cancel();
    await assert.rejects(accepted, { code: "aborted" });
  });

  it("an invitation of a space that is closed", async () => {
    const [one, other] = await Promise.all([openOne(), openOne()]);
    const invitation = await one.invite();
    const { answer } = await other.join(invitation.text);
    await one.close();
    await assert.rejects(invitation.accept(answer), { code: "closed" });
    await assert.rejects(one.invite(), { code: "closed" });
    await assert.rejects(one.join(invitation.text), { code: "closed" });
    const [made, joined] = [other.invite(), other.join(invitation.text)];
    await Promise.all([
      other.close(),
      assert.rejects(made, { code: "closed" }),
      assert.rejects(joined, { code: "closed" }),
    ]);
  });

  it("to link a replica with a copy of itself, which the status says until it meets another", async () => {
    const folder = await mkdtemp(join(tmpdir(), "eyot-invitations-"));
    try {
      const open = async (name: string) => {
        const space = await openSpace("invitations", { storage: directory(join(folder, name)) });
        spaces.push(space);
        return space;
      };
      const first = await open("one");
      await write(first, "text");
      await first.close();
      await cp(join(folder, "one"), join(folder, "copy"), { recursive: true });
      const [one, copy, third] = [await open("one"), await open("copy"), await openOne()];
      await meet(one, copy);
      for (const space of [one, copy]) {
        const { error } = await until(space, ({ error }) => error !== undefined);
        assert.equal(error?.code, "invalid");
        assert.match(error.message, /the same log/);
      }
      await meet(third, one);
      await has(third, "text");
      assert.equal(one.status.error, undefined);
      await Promise.all([one, copy].map((space) => space.close()));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("a wish that was taken back", async () => {
    const one = await openOne();
    const { text } = await one.invite();
    const signal = AbortSignal.abort();
    await assert.rejects(one.invite({ signal }), { code: "aborted" });
    await assert.rejects(one.join(text, { signal }), { code: "aborted" });
  });

  it("everything, where there is no WebRTC", async () => {
    const one = await openOne();
    const other = await openOn({ wasm: () => readFile(WASM) }, "invitations", { storage: memory() });
    spaces.push(other);
    await assert.rejects(other.invite(), { code: "unavailable", message: /no WebRTC/ });
    await assert.rejects(other.join((await one.invite()).text), { code: "unavailable", message: /no WebRTC/ });
  });
});

describe("who does not hold the invitation", () => {
  it("is not linked, though it has the answer right", async () => {
    const one = await openOne();
    const invitation = await one.invite();
    const invited = readInvitation(invitation.text, "invitations");
    const connection = new RtcConnection(await findRtc(), []);
    const { description, setup } = await connection.answer(invited.description);
    const given = answer(invited, setup, description);
    const wrong = { ...invited, secret: new Uint8Array(16) };
    const lied = connection.opened.then((channel) => prove(channel, proofOf("joiner", wrong, given.answered), NOTHING));
    lied.catch(() => undefined);
    await assert.rejects(invitation.accept(given.text), { code: "denied", message: /does not hold this invitation/ });
    await assert.rejects(lied);
    connection.close();
    assert.equal(one.status.peers, 0);
    await assert.rejects(invitation.accept(given.text), { code: "denied", message: /one answer/ });
  });

  it("is not linked with another certificate than the texts name, on either side", async () => {
    const rtc = await findRtc();
    const other = new Uint8Array(32).fill(7);
    for (const [of, to] of [
      ["answer", 0],
      ["offer", 1],
    ] as const) {
      const sides = [new RtcConnection(rtc, []), new RtcConnection(rtc, [])] as const;
      const lie = (said: typeof of, description: Description) =>
        said === of ? { ...description, fingerprint: other } : description;
      const { description, setup } = await sides[1].answer(lie("offer", await sides[0].offer()));
      await sides[0].accept(lie("answer", description), setup);
      await assert.rejects(sides[to].opened, { code: "unavailable" });
      for (const side of sides) side.close();
    }
  });

  it("is not believed to have invited", async () => {
    const one = await openOne();
    const connection = new RtcConnection(await findRtc(), []);
    const made = invite("invitations", "write", Date.now() + 60_000, await connection.offer());
    const given = readAnswer((await one.join(made.text)).answer, made.invited);
    await connection.accept(given.description, given.setup);
    const channel = await connection.opened;
    // Its proof is the one of whoever joins, sent back. The other side ends the connection, maybe before its own proof
    // has come.
    const proved = prove(channel, proofOf("joiner", made.invited, given), proofOf("joiner", made.invited, given));
    const ended = () =>
      new Promise<void>((resolve) => channel.listen({ message: () => assert.fail(), closed: resolve }));
    await proved.then(ended, ({ code }: EyotError) => assert.equal(code, "unavailable"));
    assert.equal(one.status.peers, 0);
  });
});

async function openOne(name = "invitations"): Promise<Space> {
  const space = await openSpace(name, { storage: memory() });
  spaces.push(space);
  return space;
}

/** One invites, the other joins. */
async function meet(one: Space, other: Space, right?: "read" | "write"): Promise<void> {
  const invitation = await one.invite({ right });
  const { answer } = await other.join(invitation.text);
  await invitation.accept(answer);
}
