/** Browsers that know nothing of each other meet by an invitation, and link over WebRTC. There is no relay. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { heads, meet, newProfile, open, push, serveSite, until, untilStatus } from "./site.mjs";

const timeout = 60_000;

let site, profiles;
before(async () => (site = await serveSite()));
beforeEach(async () => (profiles = await Promise.all([newProfile(), newProfile(), newProfile()])), { timeout });
afterEach(() => Promise.all(profiles.map((profile) => profile.remove())));
after(() => site.close());

const has = (value, item) => value.list.includes(item);

/** A page in a browser of its own, with a replica of the space. */
async function openIn(profile) {
  const page = await profile.visit(site.url);
  await open(page, "invitations");
  return page;
}

const links = (page) => page.evaluate(() => space.links().map(({ to, via, right }) => [to, via, right]));

it("two browsers meet, a third joins, and all go on when the first is gone", { timeout }, async () => {
  const [ada, bob, eve] = await Promise.all(profiles.map(openIn));
  await push(ada, "before");
  await meet(ada, bob);
  await until(bob, has, "before");
  await push(bob, "after");
  await until(ada, has, "after");
  await meet(bob, eve);
  await until(eve, has, "before");
  await push(eve, "third");
  await until(ada, has, "third");
  const [of, ...others] = await Promise.all([ada, bob, eve].map(heads));
  assert.deepEqual(others, [of, of]);
  assert.deepEqual(await links(ada), [["replica", "webrtc", "write"]]);
  await ada.evaluate(() => space.close());
  await untilStatus(bob, (status) => status.peers === 1);
  await push(eve, "without");
  await until(bob, has, "without");
});

it("who is invited to read is sent to, and brings nothing", { timeout }, async () => {
  const [ada, bob] = await Promise.all(profiles.slice(0, 2).map(openIn));
  await push(bob, "of the reader");
  await meet(ada, bob, { right: "read" });
  await push(ada, "of the writer");
  await until(bob, has, "of the writer");
  assert.equal(has(await ada.evaluate(() => doc.value), "of the reader"), false);
  assert.deepEqual(await Promise.all([ada, bob].map(links)), Array(2).fill([["replica", "webrtc", "read"]]));
});

it("a browser and Node meet, whoever of them invites", { timeout }, async () => {
  const { openSpace, memory } = await import("eyot");
  const page = await openIn(profiles[0]);
  const space = await openSpace("invitations", { storage: memory() });
  try {
    const doc = await space.named("doc", { text: "", list: [] });
    const seen = (item) =>
      new Promise((resolve) => {
        const look = (value) => has(value, item) && resolve();
        doc.subscribe(look);
        look(doc.value);
      });
    const invitation = await space.invite();
    const { answer } = await page.evaluate((text) => globalThis.space.join(text), invitation.text);
    await invitation.accept(answer);
    await push(page, "of the page");
    await seen("of the page");
    const other = await openIn(profiles[1]);
    const text = await other.evaluate(async () => {
      globalThis.invitation = await space.invite();
      return invitation.text;
    });
    const { answer: given } = await space.join(text);
    await other.evaluate((answer) => invitation.accept(answer), given);
    await until(other, has, "of the page");
    doc.change(({ list }) => void list.push("of Node"));
    for (const browser of [page, other]) await until(browser, has, "of Node");
  } finally {
    await space.close();
  }
});
