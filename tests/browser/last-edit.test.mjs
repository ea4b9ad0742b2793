/** The last edit before a page ends is there when it is opened again, although nobody waited for `saved`. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { newProfile, open, serveSite, until, value } from "./site.mjs";

const timeout = 120_000;
const ROUNDS = 10;
const BURST = 10;

let site, profile;
before(async () => (site = await serveSite()), { timeout });
beforeEach(async () => (profile = await newProfile()));
afterEach(() => profile.remove());
after(() => site.close());

/** How a page ends after an edit. Each gives the page in which the document is read again. */
const ENDS = {
  "a reload in the same task": (page, round) =>
    reloading(
      page,
      (round) => {
        doc.change((draft) => void draft.list.push(round));
        location.reload();
      },
      round,
    ),
  "a burst and a reload": (page, round) =>
    reloading(
      page,
      async ([round, burst]) => {
        for (let n = 0; n < burst; n += 1) {
          await new Promise((resolve) => setTimeout(resolve));
          doc.change((draft) => void draft.list.push(`${round}.${n}`));
        }
        location.reload();
      },
      [round, BURST],
    ),
  "a close": async (page, round) => {
    await page.evaluate((round) => void doc.change((draft) => void draft.list.push(round)), round);
    await page.close({ runBeforeUnload: false });
    return profile.visit(site.url);
  },
  "an edit in pagehide and a reload": async (page, round) => {
    await editInPagehide(page, round);
    return reloading(page, () => location.reload());
  },
  "an edit in pagehide and a close": async (page, round) => {
    await editInPagehide(page, round);
    await page.close({ runBeforeUnload: false });
    return profile.visit(site.url);
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  it(`${name}: nothing is lost in ${ROUNDS} of ${ROUNDS}`, { timeout }, async () => {
    const expected = [];
    let page = await profile.visit(site.url);
    await open(page, "last");
    for (let round = 0; round < ROUNDS; round += 1) {
      page = await end(page, round);
      await open(page, "last");
      if (name.includes("burst")) for (let n = 0; n < BURST; n += 1) expected.push(`${round}.${n}`);
      else expected.push(round);
      assert.deepEqual((await value(page)).list, expected);
    }
  });
}

it("what a tab could not store as it was closed reaches the tabs that stay", { timeout }, async () => {
  const [stays, goes] = [await profile.visit(site.url), await profile.visit(site.url)];
  await open(stays, "last");
  await open(goes, "last");
  await editInPagehide(goes, "goodbye");
  await goes.close({ runBeforeUnload: false });
  await until(stays, (value) => value.list.includes("goodbye"));
});

function editInPagehide(page, item) {
  return page.evaluate((item) => {
    addEventListener("pagehide", () => doc.change((draft) => void draft.list.push(item)));
  }, item);
}

/** The page after it has reloaded itself. */
async function reloading(page, end, argument) {
  const loaded = page.waitForEvent("load");
  // It has no answer where the page is gone before.
  page.evaluate(end, argument).catch(() => undefined);
  await loaded;
  await page.waitForFunction(() => globalThis.eyot !== undefined);
  return page;
}
