/** Direct links in Firefox, to another Firefox and to Chromium, by an invitation and by a relay. */
import assert from "node:assert/strict";
import { after, afterEach, before, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { FIREFOX, startFirefox } from "./firefox.mjs";
import { heads, meet, newProfile, open, push, serveSite, until, untilStatus } from "./site.mjs";

const timeout = 120_000;
const options = FIREFOX === undefined ? { skip: "there is no Firefox" } : { timeout };

let site, relay;
const browsers = [];
before(async () => (site = await serveSite()));
afterEach(async () => {
  await Promise.all(browsers.splice(0).map((browser) => browser.remove()));
  await relay?.stop();
  relay = undefined;
});
after(() => site.close());

async function page(browser, relays, given) {
  browsers.push(browser);
  const page = await browser.visit(site.url);
  await open(page, "firefox", relays, given);
  return page;
}

const has = (value, item) => value.list.includes(item);

async function bothWrite(one, other) {
  await Promise.all([push(one, "of one"), push(other, "of the other")]);
  await Promise.all([until(one, has, "of the other"), until(other, has, "of one")]);
  assert.deepEqual(await heads(one), await heads(other));
}

for (const [inviter, joiner] of [
  ["Firefox", "Firefox"],
  ["Firefox", "Chromium"],
  ["Chromium", "Firefox"],
]) {
  it(`${inviter} invites ${joiner}, with no relay`, options, async () => {
    const start = { Firefox: startFirefox, Chromium: newProfile };
    const [one, other] = [await page(await start[inviter]()), await page(await start[joiner]())];
    await meet(one, other);
    await bothWrite(one, other);
  });
}

it("Firefox and Chromium meet through a relay, see who is here, and go on without it", options, async () => {
  relay = await startRelay();
  const pages = [];
  for (const browser of [await startFirefox(), await newProfile()]) {
    pages.push(await page(browser, [relay.url], { peerToPeer: true }));
  }
  for (const page of pages) await untilStatus(page, ({ peers }) => peers === 2);
  await relay.kill();
  for (const page of pages) await untilStatus(page, ({ peers }) => peers === 1);
  await bothWrite(...pages);
  const [one, other] = pages;
  await one.evaluate(() => space.presence.set("Firefox"));
  await other.evaluate(
    () =>
      new Promise((resolve) => {
        const look = (others) => [...others.values()].includes("Firefox") && resolve();
        space.presence.subscribe(look);
        look(space.presence.others);
      }),
  );
});
