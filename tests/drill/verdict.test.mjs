import assert from "node:assert/strict";
import test from "node:test";

import { judge } from "./verdict.mjs";

const document = (...entries) => ({ notes: { count: entries.length, entries, heads: ["h"], commits: entries.length } });
const commit = (id, ...levels) => ({ id, madeAt: 0, ackedAt: Object.fromEntries(levels.map((level) => [level, 1])) });

test("all held everywhere, once, holds", () => {
  const holders = { eu: document("a", "b"), us: document("a", "b"), writer: document("a", "b") };
  const verdict = judge({ commits: [commit("a", 1, 2), commit("b")], holders, regions: ["eu", "us"] });
  assert.equal(verdict.holds, true);
  assert.deepEqual(verdict.acknowledged, { 1: 1, 2: 1 });
  assert.deepEqual(verdict.lost, { 1: 0, 2: 0, unacknowledged: 0 });
});

test("a commit that one region lacks is lost, at the levels it was acknowledged at", () => {
  const holders = { eu: document("a"), us: document() };
  const verdict = judge({ commits: [commit("a", 1)], holders, regions: ["eu", "us"] });
  assert.equal(verdict.holds, false);
  assert.deepEqual(verdict.lost, { 1: 1, 2: 0, unacknowledged: 0 });
  assert.deepEqual(verdict.evidence.missing[0].from, ["us"]);
});

test("an entry that is there twice is a duplicate, and so is a counter that is ahead", () => {
  const ahead = { notes: { ...document("a").notes, count: 3 } };
  const verdict = judge({ commits: [commit("a", 1)], holders: { eu: ahead, us: document("a", "a") }, regions: ["eu"] });
  assert.equal(verdict.holds, false);
  assert.equal(verdict.duplicated, 2 + 1);
});

test("documents that differ in nothing but their heads are different", () => {
  const other = { notes: { ...document("a").notes, heads: ["other"] } };
  const verdict = judge({
    commits: [commit("a", 1)],
    holders: { eu: document("a"), us: other },
    regions: ["eu", "us"],
  });
  assert.equal(verdict.holds, false);
  assert.equal(verdict.different, 1);
});
