/** The tarball itself, and in Node. Run alone: node --test tests/packaging/node.test.mjs */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { IMPORT, project, PROGRAM, RESULT, run } from "./project.mjs";

const tsc = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

let app;
before(
  async () => {
    app = await project();
    // React's types, and what they are made of, as an application of React has them.
    for (const name of ["@types/react", "csstype"]) {
      const there = join(app.folder, "node_modules", name);
      await mkdir(dirname(there), { recursive: true });
      await symlink(fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url)), there);
    }
  },
  { timeout: 120_000 },
);
after(() => app.remove());

const node = async (name, code) => {
  await app.add({ [name]: code });
  return (await run(process.execPath, [name], { cwd: app.folder })).stdout.trim();
};

describe("the tarball", () => {
  it("has a Wasm file for clients and one for relays, its licences, and every file that it exports", async () => {
    const folder = join(app.folder, "node_modules/eyot");
    const files = await readdir(folder, { recursive: true });
    assert.deepEqual(files.filter((name) => name.endsWith(".wasm")).sort(), ["dist/eyot-relay.wasm", "dist/eyot.wasm"]);
    for (const name of ["LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.md", "README.md"])
      assert.ok(files.includes(name));
    const { exports } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const targets = Object.values(exports).flatMap((target) =>
      typeof target === "string" ? target : Object.values(target),
    );
    for (const target of targets) assert.ok(existsSync(join(folder, target)), target);
    assert.equal(exports["./package.json"], "./package.json");
    assert.deepEqual(Object.keys(exports["."]), ["types", "workerd", "node", "default"]);
  });

  it("has types that stand alone, for each way of resolving modules", async () => {
    await app.add({
      "app.ts": `import { openSpace, splice, Counter, type Space, type Doc, type Json, type SpaceOptions } from "eyot";
        import { routeRelay, SpaceRelay, type RelayOptions } from "eyot/cloudflare";
        import { storeConformance } from "eyot/conformance";
        import { SpaceProvider, useDoc, useDocument, useSpace, type SpaceProviderProps } from "eyot/react";
        import { initialize } from "eyot/slim";
        import wasm from "eyot/wasm";
        const space: Space = await openSpace("x", { relays: ["wss://x"], token: async () => "t" });
        const doc: Doc<{ title: string; count: Counter }> = space.create({ title: "", count: new Counter() });
        doc.change((draft) => { splice(draft, ["title"], 0, 0, "x"); draft.count.increment(2); });
        initialize(new Response());
        initialize(new URL(wasm, import.meta.url));
        const relay: RelayOptions = { keys: "open", caps: { spaceBytesMax: 1 } };
        await routeRelay(new Request("https://x"), {}, relay);
        new SpaceRelay({}, {});
        storeConformance("a store", { open: async () => { throw new Error(); } });
        export const options = (token: string | undefined): SpaceOptions => ({ token });
        const list: Doc<{ due?: Date; next?: { id: string } }> = space.create({});
        list.change((draft) => { delete draft.due; draft.next = { id: "x" }; });
        export const disposed = async (): Promise<void> => { await using other = await openSpace("y"); other.create({}); };
        export const provider: (props: SpaceProviderProps) => unknown = SpaceProvider;
        export const useTitle = (id: string): string =>
          useDoc(useDocument<{ title: string }>(useSpace(), id), ({ title }) => title);
        // @ts-expect-error there is no such option
        await openSpace("x", { relay: "wss://x" });
        // @ts-expect-error there is no such cap
        export const caps: RelayOptions = { keys: "open", caps: { nonsense: 1 } };
        // @ts-expect-error a value that may be anything a document holds is not simply anything
        export const length = (value: Json): number => value.length;`,
    });
    await compiles("app.ts");
  });

  it("has READMEs whose examples compile as they are", async () => {
    const examples = {
      "package.ts": ["js", "js/README.md"],
      "react.tsx": ["jsx", "js/README.md"],
      "repository.ts": ["js", "README.md"],
    };
    for (const [name, [language, readme]] of Object.entries(examples)) {
      const text = await readFile(new URL(`../../${readme}`, import.meta.url), "utf8");
      const [, example] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "m").exec(text);
      await app.add({ [name]: `declare const process: { argv: [string, string, string] };\n${example}` });
      await compiles(name);
    }
  });
});

/** Compiles as strictly as can be, the types of the package too, for a project that knows little of the platform. */
async function compiles(name) {
  for (const resolution of ["bundler", "nodenext"]) {
    const module = resolution === "bundler" ? "esnext" : "nodenext";
    const flags = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--noEmit"];
    const place = ["--target", "es2022", "--lib", "es2022,dom", "--types", "", "--jsx", "react-jsx"];
    const args = [tsc, ...flags, ...place, "--skipLibCheck", "false", "--module", module];
    await run(process.execPath, [...args, "--moduleResolution", resolution, name], { cwd: app.folder }).catch(
      (failed) => assert.fail(`${name} by ${resolution}: ${failed.stdout}`),
    );
  }
}

describe("in Node", () => {
  it("one import makes a document and changes it", async () => {
    assert.equal(await node("app.mjs", `${IMPORT}${PROGRAM}console.log(result);`), RESULT);
  });

  it("a folder holds what was saved for the next process", async () => {
    const code = `import { directory, openSpace } from "eyot";
      const space = await openSpace("app", { storage: directory("data") });
      const doc = await space.named("doc", { runs: 0 });
      await doc.change((draft) => void (draft.runs += 1)).saved;
      console.log(doc.value.runs);
      await space.close();`;
    assert.equal(await node("folder.mjs", code), "1");
    assert.equal(await node("folder.mjs", code), "2");
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
});
