/** Options of `routeRelay` that can't be meant are refused, with a text that names what is wrong. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { checkOptions, type RelayOptions } from "../src/cloudflare/options.js";
import { defaultRegions, isWithin } from "../src/cloudflare/place.js";
import { type Revocation, revoke } from "../src/cloudflare/revoke.js";

it("a binding has a name, a jurisdiction is one that there is, and regions are in it", () => {
  const wrong: [unknown, RegExp][] = [
    [{ binding: "" }, /binding is the name of/],
    [{ binding: 1 }, /binding is the name of/],
    [{ jurisdiction: "EU" }, /jurisdiction is eu or fedramp/],
    [{ jurisdiction: "constructor" }, /jurisdiction is eu or fedramp/],
    [{ jurisdiction: null }, /jurisdiction is eu or fedramp/],
    [{ jurisdiction: "eu", regions: ["weur", "us"] }, /us is not in the jurisdiction eu/],
    [{ jurisdiction: "fedramp", regions: ["enam", "weur"] }, /weur is not in the jurisdiction fedramp/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => checkOptions(options as RelayOptions), { name: "TypeError", message });
  }
  // A name that says nothing of a place may be anywhere.
  checkOptions({ jurisdiction: "eu", regions: ["eu", "eeur", "hamburg"], binding: "RELAYS" });
});

it("the regions of a jurisdiction are in it", () => {
  for (const jurisdiction of ["eu", "fedramp"] as const) {
    assert.ok(defaultRegions(jurisdiction).every((region) => isWithin(region, jurisdiction)));
  }
  assert.deepEqual(defaultRegions(undefined), ["weur", "enam", "apac"]);
});

it("whose right is taken back where and since when is said as it must be, before any object is asked", async () => {
  const good = { space: "team", subject: "alice" };
  const wrong: [unknown, unknown, RegExp][] = [
    [{ ...good, space: "" }, {}, /space is the name of a space/],
    [{ ...good, space: undefined }, {}, /space is the name of a space/],
    [{ ...good, subject: "" }, {}, /subject is what a token says/],
    [{ ...good, subject: 7 }, {}, /subject is what a token says/],
    [{ ...good, before: -1 }, {}, /before is a time in seconds/],
    [{ ...good, before: NaN }, {}, /before is a time in seconds/],
    [{ ...good, before: "now" }, {}, /before is a time in seconds/],
    [{ ...good, region: "" }, {}, /region is the name of a region/],
    [good, { region: () => "eu" }, /name the region, as the options name none/],
    [good, { jurisdiction: "EU" }, /jurisdiction is eu or fedramp/],
  ];
  for (const [revocation, options, message] of wrong) {
    await assert.rejects(revoke({}, revocation as Revocation, options as RelayOptions), { name: "TypeError", message });
  }
});
