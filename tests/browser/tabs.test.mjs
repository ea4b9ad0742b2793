/** The tabs of one browser share one log, and one of them links to the relay for all. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { newProfile, open, push, serveSite, until, untilStatus, value } from "./site.mjs";

const timeout = 60_000;

let site, profile, relay;
before(async () => (site = await serveSite()));
beforeEach(async () => ([profile, relay] = await Promise.all([newProfile(), startRelay()])), { timeout });
afterEach(async () => {
  await profile.remove();
  await relay.stop();
});
after(() => site.close());

/** Two tabs in a space, the first of which links to the relays. */
async function twoTabs(relays) {
  const first = await profile.visit(site.url);
  await open(first, "tabs", relays);
  const second = await profile.visit(site.url);
  await open(second, "tabs", relays);
  return [first, second];
}

/** The tab that links makes the first commit, so the log has the id under which it has greeted. */
async function begin(first) {
  await untilStatus(first, (status) => status.state === "live");
  await first.evaluate(() => doc.change((draft) => void draft.list.push("begun")).durable());
}

/** How many links the relay has accepted since it started. */
async function accepted() {
  const metrics = await (await fetch(`${relay.url.replace("ws", "http")}/metrics`)).text();
  return Number(/^eyot_connections_accepted_total (\d+)$/m.exec(metrics)[1]);
}

const has = (value, item) => value.list.includes(item);

for (const [way, relays] of [
  ["without a relay", () => []],
  ["with a relay", () => [relay.url]],
]) {
  it(`tabs see each other's edits ${way}`, { timeout }, async () => {
    const [first, second] = await twoTabs(relays());
    await push(first, "one");
    await until(second, has, "one");
    await push(second, "two");
    await until(first, has, "two");
    assert.deepEqual(await value(first), await value(second));
  });
}

it("a tab opened later has what the other has saved, and what it types is there for a third", { timeout }, async () => {
  const [first, second] = await twoTabs([]);
  await push(first, "one");
  await until(second, has, "one");
  await first.close();
  await push(second, "two");
  await second.evaluate(() => doc.change((draft) => void draft.list.push("three")).saved);
  const third = await profile.visit(site.url);
  await open(third, "tabs");
  assert.deepEqual((await value(third)).list, ["one", "two", "three"]);
});

it("one tab links to the relay for both, and an edit of the other is durable", { timeout }, async () => {
  const [first, second] = await twoTabs([relay.url]);
  await begin(first);
  await second.evaluate(() => doc.change((draft) => void draft.list.push("durable")).durable());
  await second.evaluate(() => space.durable());
  assert.equal(await accepted(), 1);
  const links = (page) => page.evaluate(() => space.links().map(({ to, via, region }) => [to, via, region]));
  assert.deepEqual(await links(first), [["relay", "websocket", "eu"]]);
  assert.deepEqual(await links(second), [["relay", "tab", "eu"]]);
});

it("a log that another tab begins is greeted for anew, once", { timeout }, async () => {
  const [first, second] = await twoTabs([relay.url]);
  await untilStatus(first, (status) => status.state === "live");
  await second.evaluate(() => doc.change((draft) => void draft.list.push("begun")).durable());
  assert.equal(await accepted(), 2);
});

it("the tab that links goes, and the other takes over", { timeout }, async () => {
  const [first, second] = await twoTabs([relay.url]);
  await begin(first);
  await push(second, "before");
  await first.close();
  await second.evaluate(() => doc.change((draft) => void draft.list.push("after")).durable());
  await untilStatus(second, (status) => status.state === "live" && status.unsent === 0);
  assert.equal(await accepted(), 2);
});
