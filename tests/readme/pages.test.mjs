/**
 * The examples of the pages in `docs/`. The blocks of JavaScript that are no file are one program, from the first to the last,
 * and print what stands behind each `console.log`. Blocks that are files are run here as parts of a program (`PARTS`), or by
 * the test that `ELSEWHERE` names. Run alone: node --test tests/readme/pages.test.mjs
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { SignJWT } from "jose";
import { bundle, start } from "../../worker/workerd.mjs";
import { startRelay } from "../relay.mjs";
import { blocks, pages, REPOSITORY, shown } from "./blocks.mjs";
import { folder, program } from "./program.mjs";

const run = promisify(execFile);
const timeout = 60_000;
const SECRET = "a secret of at least 32 bytes, known to the relay too";

/** What is around a part of an application that a page shows. */
const PARTS = {
  "start/cloudflare.md page.js": () => ({
    before: `import { openSpace } from "eyot"; const fetchToken = () => ${JSON.stringify(token)};`,
    after: `await space.synced(); await space.close();`,
  }),
  "guide/regions.md page.js": () => ({
    before: `import { openSpace } from "eyot"; const fetchToken = () => ${JSON.stringify(token)};`,
    after: `
      import assert from "node:assert/strict";
      assert.ok(["weur", "enam"].includes(region) && rttMs > 0);
      assert.deepEqual({ ...behind }, { weur: 0, enam: 0 });
      await space.close();`,
  }),
  "guide/tokens.md page.js": () => ({
    before: `
      import { memory, openSpace } from "eyot";
      const real = globalThis.fetch;
      const answer = (url, ...rest) => (url === "/token" ? new Response(${JSON.stringify(token)}) : real(url, ...rest));
      globalThis.fetch = async (...request) => answer(...request);
      const [userId, relays, token] = ["alice", [${JSON.stringify(`${worker}/at/weur`)}], ${JSON.stringify(token)}];
      const indexedDb = ({ database }) => (database === userId ? memory() : undefined); // Node has none`,
    after: `await space.synced(); await space.close();`,
  }),
  "guide/peers.md page.js": () => ({
    before: `
      import { openSpace } from "eyot";
      const [ada, bob] = [await openSpace("team"), await openSpace("team")];`,
    after: `
      while (bob.links().length === 0) await new Promise((resolve) => bob.subscribe(resolve));
      await Promise.all([ada.close(), bob.close()]);`,
  }),
  "guide/text.md editor.js": () => ({
    before: `
      import { openSpace } from "eyot";
      import assert from "node:assert/strict";
      const [space, other] = [await openSpace("team"), await openSpace("team")];
      const note = space.create({ text: "milk" });
      let shown = "milk";
      const insert = (at, text) => (shown = shown.slice(0, at) + text + shown.slice(at));
      const remove = (at, length) => (shown = shown.slice(0, at) + shown.slice(at + length));`,
    after: `
      const { port1, port2 } = new MessageChannel();
      space.connect(port1);
      other.connect(port2);
      while (other.documents().length === 0) await new Promise((resolve) => other.subscribeDocuments(resolve));
      const theirs = await other.open(note.id);
      theirs.change((draft) => (draft.text = "oat milk"));
      theirs.change((draft) => (draft.text = "oat"));
      while (note.value.text !== "oat") await new Promise((resolve) => note.subscribe(resolve));
      assert.equal(shown, "oat");
      await Promise.all([space.close(), other.close()]);`,
  }),
};

/** Which test runs what is a file. */
const ELSEWHERE = {
  "start/cloudflare.md worker.js": "this one",
  "start/cloudflare.md wrangler.json": "this one",
  "guide/documents.md types.ts": "this one",
  "guide/tokens.md worker.js": "this one",
  "guide/react.md app.jsx": "start.test.mjs",
  "guide/inspector.md page.js": "start.test.mjs",
};
/** Pages that another test runs from top to bottom. */
const WHOLE = {
  "start/page.md": "start.test.mjs",
  "start/tutorial.md": "tutorial.test.mjs",
  "guide/editors.md": "browser/codemirror.test.mjs",
  "guide/frameworks.md": "browser/frameworks.test.mjs",
  "guide/testing.md": "packaging/testing.test.mjs",
};

let relay, worker, token, stop;
before(
  async () => {
    relay = await startRelay();
    const made = await folder();
    await writeFile(join(made.path, "worker.js"), await shown("start/cloudflare.md", "worker.js"));
    const built = await bundle(join(made.path, "worker.js"));
    const running = await start({ folder: built, data: join(made.path, "data"), variables: { JWT_SECRET: SECRET } });
    worker = running.url;
    stop = async () => {
      await running.stop();
      await Promise.all([relay.stop(), made.remove()]);
    };
    token = await new SignJWT({ spaces: { team: "write" } })
      .setProtectedHeader({ alg: "HS256" })
      .setSubject("alice")
      .setExpirationTime("10m")
      .sign(new TextEncoder().encode(SECRET));
  },
  { timeout },
);
after(() => stop?.());

it("the page about types compiles as strictly as can be", { timeout }, async () => {
  const { path, remove } = await folder();
  try {
    await writeFile(join(path, "types.mts"), await shown("guide/documents.md", "types.ts"));
    const tsc = join(REPOSITORY, "node_modules/typescript/bin/tsc");
    const flags = "--noEmit --strict --exactOptionalPropertyTypes false --module nodenext --target es2022 --types node";
    await run(process.execPath, [tsc, ...flags.split(" "), "types.mts"], { cwd: path });
  } finally {
    await remove();
  }
});

it("the page about tokens has a Worker that lets in by role", { timeout }, async () => {
  const made = await folder();
  await writeFile(join(made.path, "worker.js"), await shown("guide/tokens.md", "worker.js"));
  const built = await bundle(join(made.path, "worker.js"));
  const running = await start({ folder: built, data: join(made.path, "data"), variables: { JWT_SECRET: SECRET } });
  try {
    const may = async (role) => {
      const shown = await new SignJWT({ team: "team", role })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("alice")
        .setExpirationTime("10m")
        .sign(new TextEncoder().encode(SECRET));
      const url = `${running.url.replace("ws:", "http:")}/v1/team/token`;
      return (await fetch(url, { headers: { authorization: `Bearer ${shown}` } })).json();
    };
    assert.deepEqual((await may("editor")).claims.spaces, [["team", "write"]]);
    assert.deepEqual((await may("reader")).claims.spaces, [["team", "read"]]);
    assert.equal((await may("banned")).reason, "the application does not let you in");
  } finally {
    await running.stop();
    await made.remove();
  }
});

/** The relays that the pages name are those of this test. */
function change(code) {
  return code
    .replaceAll("wss://relay.example", relay.url)
    .replaceAll("wss://eu.example", `${worker}/at/weur`)
    .replaceAll("wss://us.example", `${worker}/at/enam`)
    .replaceAll("https://eyot-relay.YOUR-SUBDOMAIN.workers.dev", worker.replace("ws:", "http:"));
}

for (const { name, text } of await pages()) {
  if (name in WHOLE) continue;
  const all = blocks(text).filter(({ language }) => ["js", "jsx", "ts", "html", "json"].includes(language));
  const whole = all.filter(({ language, file }) => language === "js" && file === undefined);
  describe(name, () => {
    if (whole.length > 0) {
      it("its examples run, and print what they say", { timeout }, async () => {
        // A page may write where nothing of another one is.
        const inOwnSpace = (code) => change(code).replaceAll('openSpace("team"', `openSpace("team of ${name}"`);
        const { expected, printed } = await program(whole, { change: inOwnSpace });
        assert.deepEqual(printed, expected);
      });
    }
    for (const [key, around] of Object.entries(PARTS).filter(([key]) => key.startsWith(`${name} `))) {
      it(`its parts of an application run: ${key.split(" ")[1]}`, { timeout }, async () => {
        const parts = all.filter(({ file }) => key === `${name} ${file}`);
        assert.notEqual(parts.length, 0);
        const { expected, printed } = await program(parts, { ...around(), change });
        assert.deepEqual(printed, expected);
      });
    }
    it("every file that it shows is run by a test", () => {
      const files = all.filter(({ language, file }) => file !== undefined || !["js", "json"].includes(language));
      const missing = files.filter(({ file }) => !(`${name} ${file}` in PARTS) && !(`${name} ${file}` in ELSEWHERE));
      assert.deepEqual(
        missing.map(({ file, line }) => `line ${line}: ${file}`),
        [],
      );
    });
  });
}
