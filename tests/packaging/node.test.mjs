/** The tarball in Node. Run alone: node --test tests/packaging/node.test.mjs */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { FOLDER, IMPORT, project, PROGRAM, RESULT, run } from "./project.mjs";

let app;
before(async () => (app = await project()), { timeout: 120_000 });
after(() => app.remove());

const node = async (name, code, ...flags) => {
  await app.add({ [name]: code });
  return (await run(process.execPath, [...flags, name], { cwd: app.folder })).stdout.trim();
};

it("one import makes a document and changes it", async () => {
  assert.equal(await node("app.mjs", `${IMPORT}${PROGRAM}console.log(result);`), RESULT);
});

it("a folder holds what was saved for the next process", async () => {
  assert.equal(await node("folder.mjs", FOLDER), "1");
  assert.equal(await node("folder.mjs", FOLDER), "2");
});

it("eyot/slim takes the bytes of eyot/wasm", async () => {
  const code = `import { readFile } from "node:fs/promises";
    import { Counter, initialize, openSpace } from "eyot/slim";
    initialize(readFile(new URL(import.meta.resolve("eyot/wasm"))));
    ${PROGRAM}console.log(result);`;
  assert.equal(await node("slim.mjs", code), RESULT);
});

it("importing it starts nothing and loads nothing", async () => {
  const code = `const active = () => process.getActiveResourcesInfo().sort().join();
    const before = active();
    WebAssembly.compile = WebAssembly.instantiate = () => console.log("loaded");
    await import("eyot");
    console.log(active() === before);`;
  assert.equal(await node("idle.mjs", code), "true");
});

it("eyot/conformance tests a store of one's own", async () => {
  const code = `import { storeConformance } from "eyot/conformance";
    storeConformance("a broken store", { open: async () => ({ get: async () => [], close: async () => {} }) });`;
  await app.add({ "store.test.mjs": code });
  // Not as a part of this very test run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await run(process.execPath, ["--test", "store.test.mjs"], { cwd: app.folder, env }).catch(
    (failed) => failed,
  );
  assert.match(stdout, /a new store is empty/);
  assert.match(stdout, /pass 0\b/);
});

it("what is thrown names the sources, where source maps are used", async () => {
  const code = `import { openSpace } from "eyot";
    await openSpace("").catch(({ stack }) => console.log(stack));`;
  const stack = await node("stack.mjs", code, "--enable-source-maps");
  assert.match(stack, /src\/space\/open\.ts:\d+/);
});
