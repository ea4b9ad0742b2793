/** Options of `routeRelay` that can't be meant are refused, with a text that names what is wrong. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { checkOptions, type RelayOptions } from "../src/cloudflare/options.js";
import { defaultRegions, isWithin } from "../src/cloudflare/place.js";

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
