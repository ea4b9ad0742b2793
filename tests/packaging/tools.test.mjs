/**
 * The tarball through tools that are not packages of this repository, because they are large: bundlers, test runners and
 * runtimes, installed beside it. Run alone: node --test tests/packaging/tools.test.mjs
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { pathToFileURL } from "node:url";
import {
  FOLDER,
  IMPORT,
  page,
  project,
  PROGRAM,
  RESULT,
  run,
  serve,
  SHOW,
  testingExamples,
  visit,
} from "./project.mjs";

const timeout = 120_000;
const TOOLS = ["webpack@5.113.0", "@rspack/core@2.3.3", "vitest@5.1.2", "jest@30.5.2", "bun@1.4.5", "deno@2.9.6"];
const PRINT = "console.log(result);\n";
const EXPECT = `expect(result).toBe(${JSON.stringify(RESULT)});`;

let app;
before(
  async () => {
    const examples = await testingExamples();
    const inRunner = (runner) => examples.map((code) => code.replace('from "node:test"', `from "${runner}"`));
    const named = (start, ending, codes) =>
      Object.fromEntries(codes.map((code, number) => [`${start}-${number}.${ending}`, code]));
    const files = {
      "page.js": IMPORT + PROGRAM + SHOW,
      "program.mjs": IMPORT + PROGRAM + PRINT,
      "folder.mjs": FOLDER,
      "vitest.spec.js": `import { expect, it } from "vitest"; ${IMPORT} it("works", async () => { ${PROGRAM} ${EXPECT} });`,
      ...named("vitest", "spec.js", inRunner("vitest")),
      ...named("jest", "test.js", inRunner("@jest/globals")),
      "jest.test.js": `${IMPORT} it("works", async () => { ${PROGRAM} ${EXPECT} });`,
    };
    app = await project(files, TOOLS);
  },
  { timeout: 300_000 },
);
after(() => app?.remove());

/** A program of the project's, by its name; what it prints. */
async function tool(name, args, env = {}) {
  // Test runners behave otherwise where they believe to be part of another.
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
  const options = { cwd: app.folder, env: { ...rest, NO_COLOR: "1", ...env } };
  const { stdout, stderr } = await run(join(app.folder, "node_modules/.bin", name), args, options);
  return { stdout: stdout.trim(), stderr };
}

for (const [name, load] of [
  ["webpack", (module) => module.default],
  ["@rspack/core", (module) => module.rspack],
]) {
  const bundle = async (options) => {
    const resolved = createRequire(join(app.folder, "x.js")).resolve(name);
    const bundler = load(await import(pathToFileURL(resolved)));
    await new Promise((resolve, reject) =>
      bundler({ mode: "production", context: app.folder, ...options }, (error, stats) =>
        error !== null || stats.hasErrors() ? reject(error ?? new Error(stats.toString())) : resolve(),
      ),
    );
  };

  it(`${name}, for a page, with nothing to configure`, { timeout }, async () => {
    const path = join(app.folder, name, "page");
    await bundle({ entry: "./page.js", output: { path, filename: "page.js" } });
    await app.add({ [`${name}/page/index.html`]: page("page.js") });
    const server = await serve(path);
    try {
      assert.equal(await visit(server.url), RESULT);
    } finally {
      await server.close();
    }
  });

  it(`${name}, for Node, with nothing to configure but modules`, { timeout }, async () => {
    const path = join(app.folder, name, "server");
    const module = { experiments: { outputModule: true }, output: { path, filename: "program.mjs", module: true } };
    await bundle({ entry: "./program.mjs", target: "node", ...module });
    const { stdout } = await run(process.execPath, [join(path, "program.mjs")]);
    assert.equal(stdout.trim(), RESULT);
  });
}

it("vitest, as it is, with the examples of eyot/testing", { timeout }, async () => {
  const { stdout } = await tool("vitest", ["run", "vitest"]);
  const all = 1 + (await testingExamples()).length;
  assert.match(stdout, new RegExp(`Tests\\s+${all} passed \\(${all}\\)`));
});

it("Jest, with Node's flag for modules, with the examples of eyot/testing", { timeout }, async () => {
  const env = { NODE_OPTIONS: "--experimental-vm-modules" };
  const { stdout } = await tool("jest", ["--json", "jest"], env);
  const { numPassedTests, numTotalTests } = JSON.parse(stdout);
  assert.deepEqual([numPassedTests, numTotalTests], [1 + (await testingExamples()).length, numPassedTests]);
});

for (const [name, args] of [
  ["bun", []],
  ["deno", ["run", "--allow-all"]],
]) {
  it(`${name}, in memory and in a folder`, { timeout }, async () => {
    assert.equal((await tool(name, [...args, "program.mjs"])).stdout, RESULT);
    const first = Number((await tool(name, [...args, "folder.mjs"])).stdout);
    assert.equal((await tool(name, [...args, "folder.mjs"])).stdout, String(first + 1));
  });
}
