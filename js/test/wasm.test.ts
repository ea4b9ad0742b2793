/** A Wasm that is not there. In a file of its own, as the Wasm is loaded once for a process. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { openOn } from "../src/space/open.js";
import * as slim from "../src/entries/slim.js";
import { EyotError, memory, openSpace } from "./eyot.js";

for (const [name, wasm] of [
  ["Wasm that is missing", () => Promise.reject(new Error("ENOENT"))],
  ["a page in the place of the Wasm", () => new TextEncoder().encode("<!doctype html>")],
  ["an answer that says no", () => new Response("not found", { status: 404 })],
] as const) {
  it(`${name} rejects openSpace with what to know`, async () => {
    await assert.rejects(openOn({ wasm }, "test", { storage: memory() }), (error) => {
      assert.ok(error instanceof EyotError);
      assert.equal(error.code, "wasm");
      assert.match(error.message, /WebAssembly/);
      return true;
    });
  });
}

it("a platform without WebAssembly is told apart", async () => {
  const { WebAssembly } = globalThis;
  Reflect.deleteProperty(globalThis, "WebAssembly");
  try {
    await assert.rejects(openSpace("test"), { code: "wasm" });
  } finally {
    Object.assign(globalThis, { WebAssembly });
  }
});

it("eyot/slim says that it was given nothing", async () => {
  await assert.rejects(slim.openSpace("test"), { code: "wasm", message: /initialize/ });
});

it("a later attempt works", async () => {
  const space = await openSpace("test", { storage: memory() });
  assert.equal(space.create({ n: 1 }).value.n, 1);
  await space.close();
});
