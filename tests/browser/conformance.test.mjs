/** `eyot/conformance` in a page: a store of one's own over IndexedDB, and a replica on it. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, it } from "node:test";
import { newProfile, serveSite } from "./site.mjs";

const timeout = 60_000;

let site, profile, page;
before(
  async () => {
    const store = await readFile(new URL("./conformance/indexed-db-store.mjs", import.meta.url), "utf8");
    [site, profile] = await Promise.all([serveSite({ "store.js": store }), newProfile()]);
    page = await profile.visit(site.url);
  },
  { timeout },
);
after(() => Promise.all([profile?.remove(), site?.close()]));

it("the tests of stores run in a page, for whatever runner is there", { timeout }, async () => {
  const results = await page.evaluate(async () => {
    const { storeConformance } = await import("/conformance.js");
    const { openIndexedDbStore } = await import("/store.js");
    const tests = [];
    globalThis.describe = (_, define) => define();
    globalThis.it = (name, run) => tests.push({ name, run });
    // A process that is killed closes nothing.
    storeConformance("IndexedDB", { open: openIndexedDbStore, crash: async () => undefined });
    const results = {};
    for (const { name, run } of tests) results[name] = await run().then(() => "passed", String);
    return results;
  });
  assert.ok(Object.keys(results).length >= 13);
  for (const [name, result] of Object.entries(results)) assert.equal(result, "passed", name);
});

it("a replica keeps its log in a store of one's own", { timeout }, async () => {
  const read = await page.evaluate(async () => {
    const { openIndexedDbStore } = await import("/store.js");
    const open = () => eyot.openSpace("own", { storage: eyot.customStore(() => openIndexedDbStore("own-store")) });
    const first = await open();
    const { id } = first.create({ text: "kept" });
    await first.close();
    const second = await open();
    const { value } = await second.open(id);
    await second.close();
    return value.text;
  });
  assert.equal(read, "kept");
});
