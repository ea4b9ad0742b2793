/** IndexedDB that is deleted, blocked or closed while a page uses it: the page says so, and never hangs. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { newProfile, open, push, serveSite, untilStatus, value } from "./site.mjs";

const timeout = 60_000;

let site, profile, page;
before(async () => (site = await serveSite()));
beforeEach(async () => {
  profile = await newProfile();
  page = await profile.visit(site.url);
});
afterEach(() => profile.remove());
after(() => site.close());

const deleteDatabase = (page, name) =>
  page.evaluate(
    (name) =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = () => resolve("deleted");
        request.onblocked = () => resolve("blocked");
        request.onerror = () => reject(request.error);
      }),
    `eyot:${name}`,
  );

/** What comes of a change. A tab that has heard that its database is gone takes none. */
const save = (page, item) =>
  page.evaluate(async (item) => {
    try {
      await doc.change((draft) => void draft.list.push(item)).saved;
      return "saved";
    } catch ({ code, message }) {
      return `${code}: ${message}`;
    }
  }, item);

it(
  "a database that is deleted while it is open: nothing is said to be saved, and close ends",
  { timeout },
  async () => {
    await open(page, "gone");
    await push(page, "one");
    const other = await page.evaluate(async () => {
      const other = space.create({ n: 1 });
      await other.change((draft) => void (draft.n = 2)).saved;
      other.close();
      return other.id;
    });
    assert.equal(await deleteDatabase(page, "gone"), "deleted");
    assert.match(await save(page, "two"), /^storage: the database was deleted while it was open/);
    assert.match(await save(page, "three"), /^storage: the database was deleted/);
    const said = await page.evaluate(
      async (other) => ({
        value: doc.value.list,
        error: space.status.error?.code,
        unsaved: space.status.unsaved,
        created: await space
          .create({})
          .change((draft) => void (draft.n = 1))
          .saved.catch(({ code }) => code),
        opened: await space.open(other).then(
          () => "opened",
          ({ code }) => code,
        ),
        closed: await space.close().then(() => "closed"),
      }),
      other,
    );
    assert.deepEqual(said, {
      value: ["one", "two", "three"],
      error: "storage",
      unsaved: 2,
      created: "storage",
      opened: "storage",
      closed: "closed",
    });
    await open(page, "gone");
    assert.deepEqual((await value(page)).list, []);
    assert.equal(await save(page, "anew"), "saved");
  },
);

it("a database that another connection blocks: said, and saved once it is free", { timeout }, async () => {
  await page.evaluate(() =>
    new Promise((resolve) => {
      const request = indexedDB.open("eyot:blocked", 1);
      request.onsuccess = () => resolve((globalThis.old = request.result));
    }).then(() => undefined),
  );
  await open(page, "blocked");
  assert.match(await save(page, "one"), /^storage: another tab/);
  assert.equal(await page.evaluate(() => space.status.error.code), "storage");
  await page.evaluate(() => old.close());
  await untilStatus(page, (status) => status.error === undefined && status.unsaved === 0);
  await page.evaluate(() => space.close());
  // What was opened after it had been given up is closed too.
  assert.equal(await deleteDatabase(page, "blocked"), "deleted");
});

it("nothing opens the database again after a close", { timeout }, async () => {
  await open(page, "closed");
  await page.evaluate(async () => {
    for (let n = 0; n < 20; n += 1) doc.change((draft) => void draft.list.push(n));
    const waits = [space.open("38zjcvr4JvfPhzzhEqjzZqv8vVsn"), space.named("other", {}), space.close()];
    await Promise.allSettled(waits);
  });
  assert.equal(await deleteDatabase(page, "closed"), "deleted");
  const left = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  assert.deepEqual(left, []);
});

it("the browser is asked not to evict what it stores where the application says so", { timeout }, async () => {
  await page.evaluate(() => {
    globalThis.asked = 0;
    const persist = navigator.storage.persist.bind(navigator.storage);
    navigator.storage.persist = () => ((asked += 1), persist());
  });
  const said = (options) =>
    page.evaluate(async (options) => {
      const space = await eyot.openSpace("kept", options);
      const { storage } = await new Promise((resolve) => {
        const look = (status) => status.storage.persisted !== undefined && resolve(status);
        space.subscribe(look);
        look(space.status);
      });
      await space.close();
      return { ...storage, asked };
    }, options);
  assert.deepEqual(await said({}), { kind: "indexedDb", persisted: false, asked: 0 });
  assert.deepEqual(await said({ persist: false }), { kind: "indexedDb", persisted: false, asked: 0 });
  assert.deepEqual(await said({ persist: true }), { kind: "indexedDb", persisted: false, asked: 1 });
  const session = await page.context().newCDPSession(page);
  // What somebody answers whom the browser asks.
  await session.send("Browser.grantPermissions", { origin: new URL(site.url).origin, permissions: ["durableStorage"] });
  assert.deepEqual(await said({ persist: true }), { kind: "indexedDb", persisted: true, asked: 2 });
  assert.deepEqual(await said({}), { kind: "indexedDb", persisted: true, asked: 2 });
});

it(
  "a space that is destroyed leaves no database, other spaces stay, and another tab saves nothing more",
  { timeout },
  async () => {
    const other = await profile.visit(site.url);
    for (const tab of [page, other]) await open(tab, "left");
    await page.evaluate(async () => {
      const kept = await eyot.openSpace("kept");
      await kept.create({ n: 1 }).change((draft) => void (draft.n = 2)).saved;
      await kept.close();
    });
    assert.equal(await save(page, "private"), "saved");
    const refused = await page.evaluate(() => space.destroy().catch(({ code }) => code));
    assert.equal(refused, "unsent");
    assert.equal(await save(page, "more"), "saved");
    await page.evaluate(() => space.destroy({ force: true }));
    const names = await page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
    assert.deepEqual(names, ["eyot:kept"]);
    assert.match(await save(other, "late"), /^storage: the database was deleted/);
    assert.equal(await other.evaluate(() => space.status.error?.code), "storage");
    await other.close();
    await open(page, "left");
    assert.deepEqual((await value(page)).list, []);
  },
);
