/** `eyot/react` with the Reacts that it is for, in a page, under StrictMode. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { bundle } from "./bundle.mjs";
import { newProfile, serveSite } from "./site.mjs";

const timeout = 60_000;
for (const [version, alias] of [
  ["18", { react: "react-18", "react-dom": "react-dom-18" }],
  ["19", {}],
]) {
  describe(`React ${version}`, () => {
    let site, profile, page;
    before(
      async () => {
        const html = `<!doctype html><meta charset="utf-8"><title>React</title><link rel="icon" href="data:,">
          <body><script type="module">import * as all from "/scenarios.js"; globalThis.scenarios = all;</script>`;
        const files = {
          "react.html": html,
          "scenarios.js": await bundle({ entryPoints: ["browser/react/scenarios.jsx"], alias }),
        };
        site = await serveSite(files);
        profile = await newProfile();
        page = await profile.visit(`${site.url}react.html`);
      },
      { timeout },
    );
    after(() => Promise.all([profile?.remove(), site?.close()]));

    const happens = (name, ...all) => page.evaluate(([name, all]) => scenarios[name](...all), [name, all]);

    it(
      "a provider opens its space once, shows its fallback until then, and closes it when it goes",
      { timeout },
      async () => {
        const { version: found, ...seen } = await happens("opens");
        assert.equal(found.split(".")[0], version);
        assert.deepEqual(seen, { first: "opening", opened: 1, state: "local" });
      },
    );

    it("a space that does not open is an error of the provider, and is opened anew after it", { timeout }, async () => {
      await happens("doesNotOpen");
    });

    it("buttons for undo and redo know whether there is something to undo", { timeout }, async () => {
      await happens("undoes");
    });

    it("a document suspends until it is open; all share one handle, closed after the last", { timeout }, async () => {
      assert.deepEqual(await happens("suspends"), { first: "loading", openedOnce: 1, stays: true });
    });

    it("what is hidden is closed, and opened anew when it comes back", { timeout }, async () => {
      const none = "there is no Activity";
      assert.deepEqual(await happens("hides"), version === "18" ? none : [1, 2]);
    });

    it("a document that is not found is an error, and is looked for anew after it", { timeout }, async () => {
      await happens("isNotFound");
    });

    it("a component renders only when what it has selected changes", { timeout }, async () => {
      const [first, other, ...more] = await happens("selects");
      // StrictMode runs the first effects twice.
      assert.deepEqual(first, { whole: 2, title: 2, open: 2 });
      assert.deepEqual(other, { whole: 1, title: 0, open: 0 });
      const again = { whole: 1, title: 0, open: 1 };
      assert.deepEqual(more, [again, { whole: 1, title: 1, open: 0 }, { whole: 1, title: 0, open: 1 }]);
    });

    it("what a component shows of this replica is seen by others, until it goes", { timeout }, async () => {
      assert.equal(await happens("showsPresence"), 1, "what is shown again and again is rendered once");
    });

    it("a hundred changes of two documents in one task are one render", { timeout }, async () => {
      assert.equal(await happens("batches"), 1);
    });

    it(
      "all that is on the page is of one value, also where it changed in the middle of a render",
      { timeout },
      async () => {
        const { torn, changedMeanwhile } = await happens("tears");
        assert.ok(changedMeanwhile > 0);
        assert.deepEqual(torn, []);
      },
    );

    it(
      "the status and the list of documents are followed, and stay readable after the close",
      { timeout },
      async () => {
        await happens("lists");
      },
    );

    it("queries are followed, and what does not match renders nothing", { timeout }, async () => {
      assert.equal(await happens("queries"), 0);
    });

    it("components that outlive their space and document show the last value", { timeout }, async () => {
      await happens("outlives");
    });

    it("a server renders the fallback without Wasm, and the page takes over from there", { timeout }, async () => {
      const external = ["node-datachannel"];
      const folder = await mkdtemp(join(tmpdir(), "eyot-react-"));
      try {
        const file = join(folder, "server.mjs");
        const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire("/");' };
        await writeFile(
          file,
          await bundle({ entryPoints: ["browser/react/server.jsx"], alias, platform: "node", external, banner }),
        );
        const { stdout } = await promisify(execFile)(process.execPath, [file]);
        assert.deepEqual(await happens("hydrates", stdout), { served: "opening", complaints: [] });
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it("a text is edited by a controlled element without the caret's jumping", { timeout }, async () => {
      await happens("edits");
      await page.click("#edited");
      await page.keyboard.press("Home");
      await page.keyboard.type("abc");
      await page.keyboard.press("ArrowRight");
      await page.keyboard.type("def");
      assert.equal(await page.evaluate(() => edited()), "abcxdefyz");
    });
  });
}
