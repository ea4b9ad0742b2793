/** What `saved` promises: it outlives the page and the browser, and says so where it can't be kept. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { startRelay } from "../relay.mjs";
import { newProfile, open, push, serveSite, until, untilStatus, value } from "./site.mjs";

const timeout = 60_000;
/** How long after `saved` the page ends. */
const PAUSE_MS = 50;

let site, relay, profile;
before(async () => ([site, relay] = await Promise.all([serveSite(), startRelay()])), { timeout });
beforeEach(async () => (profile = await newProfile()));
afterEach(() => profile.remove());
after(() => Promise.all([site.close(), relay.stop()]));

const SAVED = Array.from({ length: 20 }, (_, n) => n);

async function saveMany(page) {
  for (const n of SAVED) await page.evaluate((n) => doc.change((draft) => void draft.list.push(n)).saved, n);
}

it("a page closed abruptly 50 ms after `saved` has lost nothing", { timeout }, async () => {
  const page = await profile.visit(site.url);
  await open(page, "closed");
  await saveMany(page);
  await pause(PAUSE_MS);
  await page.close({ runBeforeUnload: false });
  const again = await profile.visit(site.url);
  await open(again, "closed");
  assert.deepEqual((await value(again)).list, SAVED);
});

it("a browser killed 50 ms after `saved` has lost nothing", { timeout }, async () => {
  const page = await profile.visit(site.url);
  await open(page, "killed");
  await saveMany(page);
  await pause(PAUSE_MS);
  await profile.kill();
  const again = await profile.visit(site.url);
  await open(again, "killed");
  assert.deepEqual((await value(again)).list, SAVED);
});

/** More than this origin may store where its disk is full. It does not compress. */
const BULK_BYTES = 900_000;
const QUOTA_BYTES = 500_000;

async function setQuota(page, quotaSize) {
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize });
}

/** Ways in which a write of `BULK_BYTES` fails: what is done before there is a database, before the write, and in the end. */
const FAILURES = {
  "that is full": {
    prepare: (page) => setQuota(page, QUOTA_BYTES),
    break: () => undefined,
    mend: (page) => setQuota(page, undefined),
  },
  "that fails": {
    prepare: () => undefined,
    break: (page) =>
      page.evaluate(() => {
        globalThis.put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = () => {
          throw new DOMException("the disk is broken", "UnknownError");
        };
      }),
    mend: (page) => page.evaluate(() => void (IDBObjectStore.prototype.put = put)),
  },
};

for (const [name, failure] of Object.entries(FAILURES)) {
  it(`IndexedDB ${name}: the page says so, goes on in memory, and saves once it can`, { timeout }, async () => {
    const [page, other] = [await profile.visit(site.url), await profile.visit(site.url)];
    await failure.prepare(page);
    await open(page, name, [relay.url]);
    await other.evaluate(
      async ([name, relays]) => {
        globalThis.space = await eyot.openSpace(name, { relays, storage: eyot.memory() });
        globalThis.doc = await space.named("doc", { text: "", list: [] });
      },
      [name, [relay.url]],
    );
    await push(page, "before");
    await until(other, (value) => value.list.length === 1);
    await untilStatus(page, (status) => status.unsaved === 0);

    await failure.break(page);
    const code = await page.evaluate((size) => {
      const bulk = new Uint8Array(size);
      for (let at = 0; at < size; at += 50_000) crypto.getRandomValues(bulk.subarray(at, at + 50_000));
      const commit = doc.change((draft) => {
        draft.list.push("while");
        draft.bulk = bulk;
      });
      return commit.saved.then(
        () => "saved",
        (error) => error instanceof eyot.EyotError && error.code,
      );
    }, BULK_BYTES);
    assert.equal(code, "storage");
    await push(page, "after");
    const status = await page.evaluate(() => ({ code: space.status.error?.code, unsaved: space.status.unsaved }));
    assert.deepEqual(status, { code: "storage", unsaved: 2 });
    assert.deepEqual((await value(page)).list, ["before", "while", "after"]);
    await until(other, (value) => value.list.length === 3);
    await push(other, "from there");
    await until(page, (value) => value.list.length === 4);

    await failure.mend(page);
    await untilStatus(page, (status) => status.error === undefined && status.unsaved === 0);
    await page.close();
    const again = await profile.visit(site.url);
    await open(again, name);
    assert.deepEqual((await value(again)).list, ["before", "while", "after", "from there"]);
  });
}
