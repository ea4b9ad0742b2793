/** An engine that is not there is an error that says so, never a blank page. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { newProfile, serveSite } from "./site.mjs";

const timeout = 60_000;

let site, profile;
before(async () => ([site, profile] = await Promise.all([serveSite(), newProfile()])), { timeout });
after(() => Promise.all([site.close(), profile.remove()]));

for (const [what, answer, message] of [
  ["missing", { status: 404, body: "not found" }, /eyot\.wasm.*404/],
  ["no Wasm", { contentType: "application/wasm", body: "<!doctype html>" }, /./],
]) {
  it(`a Wasm file that is ${what} rejects with code "wasm"`, { timeout }, async () => {
    const page = await profile.visit(site.url);
    await page.route("**/eyot.wasm", (route) => route.fulfill(answer));
    const error = await page.evaluate(() =>
      eyot.openSpace("x").catch((error) => ({
        isOurs: error instanceof eyot.EyotError,
        code: error.code,
        message: error.message,
      })),
    );
    assert.equal(error.isOurs && error.code, "wasm");
    assert.match(error.message, message);
  });
}
