/** A log that tabs share is for one subject: nobody's commits leave in another's name. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { startRelay } from "../relay.mjs";
import { newProfile, serveSite } from "./site.mjs";

const timeout = 60_000;

let site, profile, relay;
before(async () => ([site, relay] = await Promise.all([serveSite(), startRelay()])), { timeout });
beforeEach(async () => (profile = await newProfile()));
afterEach(() => profile.remove());
after(() => Promise.all([site.close(), relay.stop()]));

/** A token as far as a page can read it. */
function token(sub, id) {
  const payload = Buffer.from(JSON.stringify({ sub, id })).toString("base64url");
  return `e30.${payload}.signature`;
}

/** Opens the space as somebody; what came of it. `asked`: the token comes from a function. */
function openAs(page, { sub, id, database, asked = false, name = "subject" }) {
  return page.evaluate(
    async ([name, relays, token, database, asked]) => {
      const storage = eyot.indexedDb(database === undefined ? {} : { database });
      try {
        globalThis.space = await eyot.openSpace(name, { relays, storage, token: asked ? () => token : token });
        return "open";
      } catch ({ code, message }) {
        return `${code}: ${message}`;
      }
    },
    [name, [relay.url], token(sub, id), database, asked],
  );
}

const live = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const look = ({ state, error }) => {
          if (state === "live" || state === "closed") resolve(`${state} ${error?.code ?? ""}`.trim());
        };
        space.subscribe(look);
        look(space.status);
      }),
  );

it("a token of another subject is refused, and one of the same is taken", { timeout }, async () => {
  const [ada, bob] = [await profile.visit(site.url), await profile.visit(site.url)];
  assert.equal(await openAs(ada, { sub: "ada" }), "open");
  assert.equal(await live(ada), "live");
  assert.match(await openAs(bob, { sub: "bob" }), /^denied: .*"bob".*"ada".*indexedDb\(\{ database \}\)/);
  assert.equal(await openAs(bob, { sub: "ada", id: "another token" }), "open");
  assert.equal(await live(bob), "live");
  await bob.evaluate(() => space.close());
  assert.equal(await openAs(bob, { sub: "bob", database: "bob" }), "open");
  assert.equal(await live(bob), "live");
  await ada.evaluate(() => space.close());
  assert.match(await openAs(ada, { sub: "bob" }), /^denied/);
});

it("a tab whose token comes later is closed, also where another tab links for it", { timeout }, async () => {
  const [ada, bob] = [await profile.visit(site.url), await profile.visit(site.url)];
  assert.equal(await openAs(ada, { sub: "ada", asked: true }), "open");
  assert.equal(await live(ada), "live");
  assert.equal(await openAs(bob, { sub: "bob", asked: true }), "open");
  await bob.waitForFunction(() => space.status.state === "closed");
  assert.equal(await bob.evaluate(() => space.status.error.code), "denied");
  assert.equal(await live(ada), "live");
});
