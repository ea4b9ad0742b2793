/** Replicas of one space in a page, its worker and another tab, which link over ports. There is no relay. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { newProfile, open, push, serveSite, until, untilStatus } from "./site.mjs";

const timeout = 60_000;

let site, profile;
before(async () => (site = await serveSite()));
beforeEach(async () => (profile = await newProfile()), { timeout });
afterEach(() => profile.remove());
after(() => site.close());

const has = (value, item) => value.list.includes(item);

/** Starts a worker of the page with a replica of the space, which answers "ping" with "pong", and connects both. */
function startWorker(page, storage) {
  return page.evaluate((storage) => {
    const code = `
      import * as eyot from "${location.origin}/index.js";
      onmessage = async ({ data: port }) => {
        const space = await eyot.openSpace("ports", { storage: ${storage} });
        const doc = await space.named("doc", { text: "", list: [] });
        doc.subscribe(({ list }) => {
          if (list.includes("ping") && !list.includes("pong")) doc.change(({ list }) => void list.push("pong"));
        });
        space.connect(port);
      };`;
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    globalThis.worker = new Worker(url, { type: "module" });
    const { port1, port2 } = new MessageChannel();
    worker.postMessage(port2, [port2]);
    globalThis.part = space.connect(port1);
  }, storage);
}

it("a page and its worker see each other's edits, and a worker that ends is noticed", { timeout }, async () => {
  const page = await profile.visit(site.url);
  await open(page, "ports");
  await startWorker(page, "eyot.memory()");
  await push(page, "ping");
  await until(page, has, "pong");
  const links = await page.evaluate(() => space.links());
  const shown = links.map(({ to, via, right, bytesIn }) => [to, via, right, bytesIn > 0]);
  assert.deepEqual(shown, [["replica", "port", "write", true]]);
  await page.evaluate(() => worker.terminate());
  await untilStatus(page, (status) => status.peers === 0);
});

it("what a tab is sent over a port reaches the other tabs, whichever of them links", { timeout }, async () => {
  const [first, second] = [await profile.visit(site.url), await profile.visit(site.url)];
  await open(first, "ports");
  await open(second, "ports");
  for (const page of [first, second]) {
    await startWorker(page, "eyot.memory()");
    await untilStatus(page, (status) => status.peers === 1);
  }
  await push(first, "ping");
  for (const page of [first, second]) await until(page, has, "pong");
  await second.evaluate(() => part());
  assert.equal(await second.evaluate(() => space.status.peers), 0);
});

it("a worker that shares the page's log needs no link, and the status says so", { timeout }, async () => {
  const page = await profile.visit(site.url);
  await open(page, "ports");
  await page.evaluate(() => doc.change((draft) => void draft.list.push("ping")).saved);
  await startWorker(page, "eyot.indexedDb()");
  await untilStatus(page, (status) => status.error?.code === "invalid");
  assert.match(await page.evaluate(() => space.status.error.message), /same log/);
});
