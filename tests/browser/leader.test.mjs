/** The tab that links to the relay for all is replaced when it does not do so. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { newProfile, open, push, serveSite, until, untilStatus } from "./site.mjs";

const timeout = 60_000;
const BUSY_MS = 8_000;

let site, profile, relay;
before(async () => (site = await serveSite()));
beforeEach(async () => ([profile, relay] = await Promise.all([newProfile(), startRelay()])), { timeout });
afterEach(async () => {
  await profile.remove();
  await relay.stop();
});
after(() => site.close());

const durable = (page, item) =>
  page.evaluate((item) => doc.change((draft) => void draft.list.push(item)).durable(), item);

const has = (value, item) => value.list.includes(item);

async function tabs(count) {
  const pages = [];
  for (let n = 0; n < count; n += 1) {
    const page = await profile.visit(site.url);
    await open(page, "leader", [relay.url]);
    await untilStatus(page, (status) => status.state === "live");
    pages.push(page);
  }
  return pages;
}

/** How many links the relay has accepted since it started. */
async function accepted() {
  const metrics = await (await fetch(`${relay.url.replace("ws", "http")}/metrics`)).text();
  return Number(/^eyot_connections_accepted_total (\d+)$/m.exec(metrics)[1]);
}

/** Nothing of the page runs until the function that this returns is called: as it is when a browser has frozen it. */
async function freeze(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Debugger.enable");
  await session.send("Debugger.pause");
  return () => session.send("Debugger.disable");
}

const tell = (page, kind) => page.evaluate((kind) => void document.dispatchEvent(new Event(kind)), kind);

/** A tab in sight, or not, as far as the page can know. */
function setVisible(page, state) {
  return page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}

it("a leader that does not run is replaced, and follows once it is back", { timeout }, async () => {
  const [first, second] = await tabs(2);
  const thaw = await freeze(first);
  await durable(second, "while it is frozen");
  assert.equal(await accepted(), 2);
  await thaw();
  await until(first, has, "while it is frozen");
  await untilStatus(first, (status) => status.state === "live");
  await durable(first, "back");
  await until(second, has, "back");
  assert.equal(await accepted(), 2);
});

it("a leader that is told that it will be frozen hands over at once", { timeout }, async () => {
  const [first, second] = await tabs(2);
  await tell(first, "freeze");
  while ((await accepted()) < 2);
  await durable(second, "one");
  await tell(first, "resume");
  await durable(first, "two");
  await until(second, has, "two");
  assert.equal(await accepted(), 2);
});

it("a busy leader is replaced while it is busy, and gets what came meanwhile", { timeout }, async () => {
  const [first, second] = await tabs(2);
  const order = [];
  const busy = first
    .evaluate((ms) => {
      const end = Date.now() + ms;
      while (Date.now() < end);
    }, BUSY_MS)
    .then(() => order.push("no longer busy"));
  await durable(second, "meanwhile").then(() => order.push("durable"));
  await busy;
  assert.deepEqual(order, ["durable", "no longer busy"]);
  await until(first, has, "meanwhile");
  await durable(first, "after");
  await until(second, has, "after");
});

it("a tab in sight takes the link from one that is hidden, whoever has waited longer", { timeout }, async () => {
  const [first, second, third] = await tabs(3);
  await setVisible(second, "hidden");
  await setVisible(first, "hidden");
  // The third is the only one in sight: it is linked now, and goes on when the others end.
  while ((await accepted()) < 2);
  await first.close();
  await second.close();
  await durable(third, "alone");
  assert.equal(await accepted(), 2);
});

it("a tab that is offline, or has no relays, leaves the link to one that wants it", { timeout }, async () => {
  const none = await profile.visit(site.url);
  await open(none, "leader");
  const [first, second] = await tabs(2);
  assert.equal(await accepted(), 1);
  await first.evaluate(() => space.setOnline(false));
  await durable(second, "one of them is offline");
  await until(none, has, "one of them is offline");
  await push(none, "without relays");
  await second.evaluate(() => space.durable());
});
