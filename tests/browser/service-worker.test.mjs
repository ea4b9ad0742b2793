/** The service worker that the demo's build emits. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { loadConfigFromFile } from "vite";

const CONFIG = fileURLToPath(new URL("../../demo/vite.config.ts", import.meta.url));

/** The service worker of a build with this page and this script. */
async function built(page, script) {
  const { config } = await loadConfigFromFile({ command: "build", mode: "production" }, CONFIG);
  const { generateBundle } = config.plugins.find(({ name }) => name === "service-worker");
  const emitted = [];
  const bundle = {
    "index.html": { type: "asset", source: page },
    "app.js": { type: "chunk", code: script },
  };
  generateBundle.handler.call({ emitFile: (file) => emitted.push(file) }, {}, bundle);
  assert.deepEqual(
    emitted.map(({ fileName }) => fileName),
    ["sw.js"],
  );
  return emitted[0].source;
}

it("is another one where the page alone has changed, and the same where nothing has", async () => {
  const first = await built("<p>one</p>", "app()");
  assert.equal(await built("<p>one</p>", "app()"), first);
  assert.notEqual(await built("<p>two</p>", "app()"), first);
  assert.notEqual(await built("<p>one</p>", "app(2)"), first);
});

it("fetches its files past the browser's own cache", async () => {
  const requests = [];
  const listeners = {};
  const scope = {
    self: { addEventListener: (name, listener) => (listeners[name] = listener), skipWaiting: async () => undefined },
    caches: { open: async () => ({ addAll: async (all) => requests.push(...all) }) },
    Request: class {
      constructor(url, { cache }) {
        Object.assign(this, { url, cache });
      }
    },
  };
  const source = await built("<p>one</p>", "app()");
  new Function(...Object.keys(scope), source)(...Object.values(scope));
  let installed;
  listeners.install({ waitUntil: (work) => (installed = work) });
  await installed;
  assert.deepEqual(
    requests.map(({ url, cache }) => [url, cache]),
    [
      // As the worker's own address has them.
      ["./", "reload"],
      ["app.js", "reload"],
    ],
  );
});
