/** The tarball on Cloudflare's workerd. Run alone: node --test tests/packaging/workerd.test.mjs */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, it } from "node:test";
import * as esbuild from "esbuild";
import workerd from "workerd";
import { IMPORT, project, PROGRAM, RESULT, start } from "./project.mjs";

const WORKER = `${IMPORT}export default {
  async fetch() {
    ${PROGRAM}
    return new Response(result);
  },
};`;
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "worker.js", esModule = embed "out/worker.js"), (name = "eyot.wasm", wasm = embed "out/eyot.wasm")],
    compatibilityDate = "2026-01-01",
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);`;

let app;
before(async () => (app = await project({ "worker.js": WORKER, "config.capnp": CONFIG })), { timeout: 120_000 });
after(() => app.remove());

it("one import makes a document and changes it, in each request", { timeout: 60_000 }, async () => {
  // As Wrangler does it: the Wasm stays a module of its own.
  await esbuild.build({
    absWorkingDir: app.folder,
    entryPoints: ["worker.js"],
    outdir: "out",
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
  });
  const { child, found } = await start(
    workerd.default,
    ["serve", "--control-fd=1", join(app.folder, "config.capnp")],
    {},
    /"event":"listen","socket":"http","port":(\d+)/,
  );
  try {
    for (let request = 0; request < 2; request++) {
      const response = await fetch(`http://127.0.0.1:${found[1]}/`);
      assert.equal(await response.text(), RESULT);
    }
  } finally {
    child.kill("SIGKILL");
  }
});
