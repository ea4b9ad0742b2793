/** Who is here: two browsers, one of them with two tabs, see each other through a relay and, without it, directly. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { newProfile, open, serveSite, untilStatus } from "./site.mjs";

const timeout = 120_000;

let site, relay, profiles;
before(async () => (site = await serveSite()));
beforeEach(
  async () => {
    [relay, ...profiles] = await Promise.all([startRelay(), newProfile(), newProfile()]);
  },
  { timeout },
);
afterEach(async () => {
  await Promise.all(profiles.map((profile) => profile.remove()));
  await relay.stop();
});
after(() => site.close());

/** A tab in which this is shown. */
async function shows(profile, name, options = {}) {
  const page = await profile.visit(site.url);
  await open(page, "presence", [relay.url], options);
  await page.evaluate((name) => space.presence.set({ name }), name);
  return page;
}

/** Resolves once the tab sees these others, and no more. */
function sees(page, ...names) {
  return page.evaluate((names) => {
    return new Promise((resolve) => {
      const look = (others) => {
        const seen = [...others.values()].map(({ name }) => name).sort();
        if (seen.join() === names.sort().join()) resolve(stop());
      };
      const stop = space.presence.subscribe(look);
      look(space.presence.others);
    });
  }, names);
}

it("each tab is one of those who are here, and is gone when it is", { timeout }, async () => {
  const first = await shows(profiles[0], "first tab");
  await untilStatus(first, ({ state }) => state === "live");
  const [second, other] = [await shows(profiles[0], "second tab"), await shows(profiles[1], "other")];
  await Promise.all([
    sees(first, "second tab", "other"),
    sees(second, "first tab", "other"),
    sees(other, "first tab", "second tab"),
  ]);
  const ids = await Promise.all([first, second, other].map((page) => page.evaluate(() => space.presence.id)));
  assert.deepEqual(await other.evaluate(() => [...space.presence.others.keys()].sort()), ids.slice(0, 2).sort());

  await second.evaluate(() => space.presence.set({ name: "changed" }));
  await sees(other, "first tab", "changed");
  // The tab that was linked for both goes.
  await first.close();
  await Promise.all([sees(second, "other"), sees(other, "changed")]);
  await other.evaluate(() => space.close());
  await sees(second);
});

it("two that are linked see each other although their relay is killed", { timeout }, async () => {
  const all = ["Ada", "Bob"].map((name, at) => shows(profiles[at], name, { peerToPeer: true }));
  const [ada, bob] = await Promise.all(all);
  for (const page of [ada, bob]) await untilStatus(page, ({ peers }) => peers === 2);
  await Promise.all([sees(ada, "Bob"), sees(bob, "Ada")]);
  await relay.kill();
  for (const page of [ada, bob]) await untilStatus(page, ({ peers }) => peers === 1);
  await ada.evaluate(() => space.presence.set({ name: "still Ada" }));
  await sees(bob, "still Ada");
  await sees(ada, "Bob");
});
