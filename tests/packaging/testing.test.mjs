/** The examples of `docs/guide/testing.md`, from the tarball, in Node's test runner. Run alone: node --test tests/packaging/testing.test.mjs */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { project, run, testingExamples } from "./project.mjs";

let app;
let examples;
before(
  async () => {
    examples = await testingExamples();
    app = await project(Object.fromEntries(examples.map((code, number) => [`${number}.test.mjs`, code])));
  },
  { timeout: 120_000 },
);
after(() => app?.remove());

it("every example of eyot/testing passes as it is written", { timeout: 120_000 }, async () => {
  // Not as a part of this very test run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const files = examples.map((_, number) => `${number}.test.mjs`);
  const { stdout } = await run(process.execPath, ["--test", "--test-reporter=tap", ...files], {
    cwd: app.folder,
    env,
  }).catch((failed) => assert.fail(failed.stdout));
  assert.ok(examples.length >= 5);
  assert.match(stdout, new RegExp(`^# pass ${examples.length}$`, "m"));
});
