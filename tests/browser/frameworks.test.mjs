/** What `docs/guide/frameworks.md` shows, with the frameworks themselves. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compile } from "svelte/compiler";
import { newProfile, serveSite } from "./site.mjs";

const timeout = 60_000;
const tests = fileURLToPath(new URL("..", import.meta.url));
const text = await readFile(new URL("../../docs/guide/frameworks.md", import.meta.url), "utf8");

/** The example of a framework. */
function example(name) {
  const found = new RegExp(`^## ${name}\\n\\n\`\`\`js\\n([^]*?)^\`\`\`$`, "im").exec(text);
  assert.ok(found, `frameworks.md shows no example for ${name}`);
  return found[1];
}

/** `docs/NAME` is the example of a framework; Svelte's components are compiled. */
const plugin = {
  name: "examples",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^docs\// }, ({ path }) => ({ path, namespace: "docs" }));
    onLoad({ filter: /./, namespace: "docs" }, ({ path }) => ({
      contents: example(path.replace("docs/", "")),
      resolveDir: tests,
    }));
    onLoad({ filter: /\.svelte$/ }, async ({ path }) => ({
      contents: compile(await readFile(path, "utf8"), { filename: path, generate: "client" }).js.code,
    }));
  },
};

let site, profile, page;
before(
  async () => {
    const { outputFiles } = await build({
      absWorkingDir: tests,
      entryPoints: ["browser/frameworks/page.mjs"],
      bundle: true,
      format: "esm",
      conditions: ["browser", "svelte"],
      write: false,
      logLevel: "error",
      logOverride: { "ignored-bare-import": "silent" },
      plugins: [plugin],
    });
    const html = `<!doctype html><meta charset="utf-8"><title>frameworks</title><link rel="icon" href="data:,">
      <body><script type="module" src="/frameworks.js"></script>`;
    site = await serveSite({ "frameworks.html": html, "frameworks.js": outputFiles[0].text });
    profile = await newProfile();
    page = await profile.visit(`${site.url}frameworks.html`);
  },
  { timeout },
);
after(() => Promise.all([profile?.remove(), site?.close()]));

for (const framework of ["Vue", "Svelte", "Solid"]) {
  it(`${framework} follows a document by ten lines, and lets go of it`, { timeout }, async () => {
    const lines = example(framework).split("\n");
    assert.ok(lines.filter((line) => line.trim() !== "").length <= 10, `${lines.length} lines`);
    await page.evaluate((framework) => follows(framework), framework);
  });
}
