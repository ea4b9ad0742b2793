/** The tarball in Chromium: as it is, and through bundlers. Run alone: node --test tests/packaging/browser.test.mjs */
import assert from "node:assert/strict";
import { copyFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import * as vite7 from "vite-7";
import { IMPORT, page, project, PROGRAM, RESULT, serve, SHOW, visit } from "./project.mjs";

const timeout = 120_000;
const APP = IMPORT + PROGRAM + SHOW;
/** Shows the error of `openSpace`. */
const TELL = `import { openSpace } from "eyot";
  openSpace("x").catch((error) => (document.title = error.code + ": " + error.message));`;

let app;
before(async () => (app = await project({}, ["@codemirror/state@^6.7.6", "@codemirror/view@^6.43.15"])), { timeout });
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

/** What a page comes to on a dev server. */
async function develops({ createServer }, code, config = {}) {
  await app.add({ "index.html": page("/vite.js"), "vite.js": code });
  const common = { root: app.folder, configFile: false, logLevel: "error", server: { port: 0 } };
  const server = await createServer({ ...common, ...config });
  await server.listen();
  try {
    return await visit(server.resolvedUrls.local[0]);
  } finally {
    await server.close();
  }
}

it("Vite's dev server", { timeout }, async () => {
  assert.equal(await develops(vite, APP), RESULT);
});

it(
  "Vite 7's dev server, with the line of configuration that the README gives and the error names",
  { timeout },
  async () => {
    const cacheDir = join(app.folder, "node_modules/.vite");
    assert.match(await develops(vite7, TELL, { cacheDir }), /^wasm: .*optimizeDeps: \{ exclude: \["eyot"\] \}/);
    assert.equal(await develops(vite7, APP, { cacheDir, optimizeDeps: { exclude: ["eyot"] } }), RESULT);
  },
);

it("an editor on the dev servers of Vite, by the line of the documentation before Vite 8", { timeout }, async () => {
  const code = `import { EditorView } from "@codemirror/view";
    import { openSpace } from "eyot";
    import { eyotText } from "eyot/codemirror";
    const space = await openSpace("editor");
    const note = space.create({ text: "text" });
    const view = new EditorView({ doc: note.value.text, extensions: eyotText(note, ["text"]), parent: document.body });
    view.dispatch({ changes: { from: 0, insert: "a " } });
    note.change((draft) => (draft.text += "!"));
    const result = [note.value.text, view.state.doc.toString()].join();
    await space.close();
    ${SHOW}`;
  const cacheDir = join(app.folder, "node_modules/.vite-7");
  assert.equal(await develops(vite, code), "a text!,a text!");
  const text = await readFile(new URL("../../docs/guide/editors.md", import.meta.url), "utf8");
  const [, line] = /^optimizeDeps: (.*),$/m.exec(text);
  assert.equal(
    await develops(vite7, code, { cacheDir, optimizeDeps: new Function(`return ${line}`)() }),
    "a text!,a text!",
  );
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

it("Rollup, with the Wasm file put beside the bundle as the error says", { timeout }, async () => {
  await app.add({ "rollup.js": APP, "rollup-tell.js": TELL, "rolled/index.html": page("rollup.js") });
  await app.add({ "rolled/tell/index.html": page("../rollup-tell.js") });
  for (const input of ["rollup.js", "rollup-tell.js"]) {
    const bundle = await rollup({ input: join(app.folder, input), plugins: [nodeResolve({ browser: true })] });
    await bundle.write({ dir: join(app.folder, "rolled"), format: "es" });
    await bundle.close();
  }
  assert.match(
    await shows(join(app.folder, "rolled"), "tell/"),
    /^wasm: .*404.*put dist\/eyot\.wasm of the package there/,
  );
  await copyFile(join(app.folder, "node_modules/eyot/dist/eyot.wasm"), join(app.folder, "rolled/eyot.wasm"));
  assert.equal(await shows(join(app.folder, "rolled")), RESULT);
});

it("a bundle that is no ES module gets an error that names eyot/slim", { timeout }, async () => {
  await app.add({ "iife.js": TELL, "iife/index.html": page("iife.js") });
  await bundle("iife", { entryPoints: ["iife.js"], format: "iife", logLevel: "silent" });
  assert.match(await shows(join(app.folder, "iife")), /^wasm: .*no ES module: use eyot\/slim/);
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
