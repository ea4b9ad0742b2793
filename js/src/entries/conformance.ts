/**
 * Tests of everything that a replica relies on in a store. For stores of your own:
 *
 *     import { storeConformance } from "eyot/conformance";
 *     storeConformance("my store", { open: (place) => MyStore.open(place) });
 */
import { register, type TestRunner } from "../conformance/register.js";
import type { StoreHarness } from "../conformance/store-tests.js";

export { storeTests } from "../conformance/register.js";
export type { TestRunner } from "../conformance/register.js";
export type { StoreHarness, StoreTest } from "../conformance/store-tests.js";

/** Registers the tests. Default: with `node:test` in Node, and elsewhere with the global `describe` and `it`. */
export function storeConformance(name: string, harness: StoreHarness, runner?: TestRunner): void {
  register(name, harness, runner ?? (globalThis as Partial<TestRunner>));
}
