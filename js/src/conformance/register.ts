/** The tests of stores, for a test runner. */
import { checkFunction, checkText } from "../base/check.js";
import { invalid } from "../base/error.js";
import { testsOf, type StoreHarness, type StoreTest } from "./store-tests.js";

/** What a test runner has: `describe` and `it` of vitest, Jest, Mocha, Deno, `node:test`. */
export interface TestRunner {
  describe(name: string, define: () => void): unknown;
  it(name: string, run: () => Promise<void>): unknown;
}

/** The tests, to be run one by one where there is no test runner: each `run()` rejects with what is wrong. */
export function storeTests(harness: StoreHarness): readonly StoreTest[] {
  checkFunction("the harness's open", (harness as Partial<StoreHarness> | undefined)?.open);
  if (harness.crash !== undefined) checkFunction("the harness's crash", harness.crash);
  return testsOf(harness);
}

export function register(name: string, harness: StoreHarness, runner: Partial<TestRunner> | undefined): void {
  checkText("the name of a store", name);
  const tests = storeTests(harness);
  const { describe, it } = runner ?? {};
  if (typeof describe !== "function" || typeof it !== "function") {
    throw invalid("storeConformance() needs describe() and it() of a test runner; storeTests() needs no runner");
  }
  describe(`${name} is a store`, () => {
    for (const { name, run } of tests) it(name, run);
  });
}
