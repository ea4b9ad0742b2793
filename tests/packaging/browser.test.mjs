/** The tarball in Chromium: as it is, and through bundlers. Run alone: node --test tests/packaging/browser.test.mjs */
import assert from "node:assert/strict";
import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import * as esbuild from "esbuild";
import * as vite from "vite";
import { IMPORT, page, project, PROGRAM, RESULT, serve, SHOW, visit } from "./project.mjs";

const timeout = 120_000;
const APP = IMPORT + PROGRAM + SHOW;

let app;
before(async () => (app = await project()), { timeout });
after(() => app.remove());

async function shows(folder, path = "") {
  const server = await serve(folder);
  try {
    return await visit(server.url + path);
  } finally {
    await server.close();
  }
}

it("a plain <script type=module>, without any tool", { timeout }, async () => {
  const code = APP.replace('"eyot"', '"/node_modules/eyot/dist/index.js"');
  await app.add({ "plain/index.html": page("/plain/app.js"), "plain/app.js": code });
  assert.equal(await shows(app.folder, "plain/"), RESULT);
});

it("a page whose Wasm is missing gets an error that says so", { timeout }, async () => {
  const code = `import { openSpace } from "./eyot/index.js";
    await openSpace("x").catch((error) => (document.title = error.code + ": " + error.message));`;
  await app.add({ "missing/index.html": page("app.js"), "missing/app.js": code });
  const dist = join(app.folder, "node_modules/eyot/dist");
  for (const name of await readdir(dist)) {
    if (name.endsWith(".js")) {
      await app.add({ [`missing/eyot/${name}`]: "" });
      await copyFile(join(dist, name), join(app.folder, "missing/eyot", name));
    }
  }
  assert.match(await shows(app.folder, "missing/"), /^wasm: .*eyot\.wasm.*404/);
});

it("Vite's dev server", { timeout }, async () => {
  await app.add({ "index.html": page("/vite.js"), "vite.js": APP });
  const server = await vite.createServer({
    root: app.folder,
    configFile: false,
    logLevel: "error",
    server: { port: 0 },
  });
  await server.listen();
  try {
    assert.equal(await visit(server.resolvedUrls.local[0]), RESULT);
  } finally {
    await server.close();
  }
});

it("Vite's build, with one Wasm file", { timeout }, async () => {
  await app.add({ "index.html": page("/vite.js"), "vite.js": APP });
  await vite.build({ root: app.folder, configFile: false, logLevel: "error" });
  const files = await readdir(join(app.folder, "dist"), { recursive: true });
  assert.equal(files.filter((name) => name.endsWith(".wasm")).length, 1);
  assert.equal(await shows(join(app.folder, "dist")), RESULT);
});

const bundle = (folder, options) =>
  esbuild.build({
    absWorkingDir: app.folder,
    bundle: true,
    format: "esm",
    outdir: folder,
    logLevel: "error",
    ...options,
  });

it("esbuild, with the Wasm file put beside the bundle", { timeout }, async () => {
  await app.add({ "esbuild.js": APP, "out/index.html": page("esbuild.js") });
  await bundle("out", { entryPoints: ["esbuild.js"] });
  await copyFile(join(app.folder, "node_modules/eyot/dist/eyot.wasm"), join(app.folder, "out/eyot.wasm"));
  assert.equal(await shows(join(app.folder, "out")), RESULT);
});

it("esbuild, with eyot/slim and its loader for files", { timeout }, async () => {
  const code = `import wasm from "eyot/wasm";
    import { Counter, initialize, openSpace } from "eyot/slim";
    initialize(new URL(wasm, import.meta.url));
    ${PROGRAM}${SHOW}`;
  await app.add({ "slim.js": code, "slim/index.html": page("slim.js") });
  await bundle("slim", { entryPoints: ["slim.js"], loader: { ".wasm": "file" } });
  assert.equal(await shows(join(app.folder, "slim")), RESULT);
});
