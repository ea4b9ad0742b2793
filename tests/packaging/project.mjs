/** A stranger's project: the packed tarball installed into an empty folder, and what runs it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile, mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";

export const run = promisify(execFile);
const repository = fileURLToPath(new URL("../..", import.meta.url));

/** What every environment must be able to do, as the body of a module; `result` is what it comes to. */
export const PROGRAM = `
const space = await openSpace("packaging");
const doc = await space.named("doc", { list: ["made"], count: new Counter(1) });
const commit = doc.change((draft) => {
  draft.list.push("changed");
  draft.count.increment();
});
await commit.saved;
const result = JSON.stringify({ ...doc.value, url: doc.url });
await space.close();
`;
export const IMPORT = `import { Counter, openSpace } from "eyot";\n`;
/** Named documents have the same URL everywhere. */
export const RESULT = '{"count":2,"list":["made","changed"],"url":"automerge:3SSEx9yEUHF3cmUxQPSbyoQeDy1V"}';

/** Makes a document in a folder, and counts how often it has run there. */
export const FOLDER = `import { directory, openSpace } from "eyot";
  const space = await openSpace("app", { storage: directory("data") });
  const doc = await space.named("doc", { runs: 0 });
  await doc.change((draft) => void (draft.runs += 1)).saved;
  console.log(doc.value.runs);
  await space.close();`;

/** Installs the tarball, and other packages by name and version. `files` by their names are written beside them. */
export async function project(files = {}, packages = []) {
  const folder = await mkdtemp(join(tmpdir(), "eyot-packaging-"));
  await add(folder, { "package.json": '{ "private": true, "type": "module" }', ...files });
  const all = [await tarball(), ...packages];
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...all], { cwd: folder });
  return { folder, add: (more) => add(folder, more), remove: () => rm(folder, { recursive: true, force: true }) };
}

async function add(folder, files) {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

let packed;

/** The tarball that \`cargo xtask pack\` made, or one of what is built now. */
export function tarball() {
  packed ??= process.env.EYOT_TARBALL ? Promise.resolve(process.env.EYOT_TARBALL) : pack();
  return packed;
}

async function pack() {
  const folder = await mkdtemp(join(tmpdir(), "eyot-tarball-"));
  const { stdout } = await run(
    "npm",
    ["pack", "--workspace", "js", "--loglevel", "error", "--pack-destination", folder],
    {
      cwd: repository,
    },
  );
  return join(folder, stdout.trim().split("\n").at(-1));
}

/** The examples of `docs/guide/testing.md`. */
export async function testingExamples() {
  const text = await readFile(join(repository, "docs/guide/testing.md"), "utf8");
  return [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code);
}

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** Serves a folder as any web server does, with a policy as strict as Wasm allows. */
export async function serve(folder) {
  const server = createServer(async ({ url }, response) => {
    const path = normalize(new URL(url, "http://x").pathname).replace(/\/$/, "/index.html");
    const body = await readFile(join(folder, path)).catch(() => undefined);
    response.writeHead(body === undefined ? 404 : 200, {
      "content-type": TYPES[extname(path)] ?? "application/octet-stream",
      "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'",
    });
    response.end(body ?? "not found");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

/** A page that runs a module and shows the result, or the error, as its title. */
export function page(script) {
  return `<!doctype html><meta charset="utf-8"><title></title><link rel="icon" href="data:,">
<script type="module" src="${script}"></script>`;
}

export const SHOW = `document.title = result;\n`;

/** What a page comes to in Chromium. */
export async function visit(url) {
  const browser = await chromium.launch(CHROMIUM);
  try {
    const tab = await browser.newPage();
    const failed = new Promise((_, reject) => {
      tab.on("pageerror", (error) =>
        reject(Object.assign(error, { code: error.message.match(/"code":"(\w+)"/)?.[1] })),
      );
      tab.on("crash", () => reject(new Error("the page has crashed")));
    });
    failed.catch(() => undefined);
    await tab.goto(url);
    const shown = tab.waitForFunction(() => document.title !== "", undefined, { timeout: 30_000 });
    await Promise.race([failed, shown]);
    return await tab.title();
  } finally {
    await browser.close();
  }
}

/** Starts a program that says on its standard output when it is ready. */
export async function start(command, args, options, ready) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  let said = "";
  return new Promise((resolve, reject) => {
    // Read to the end, or what it says later breaks it.
    child.stdout.on("data", (chunk) => {
      said += chunk;
      const found = ready.exec(said);
      if (found) resolve({ child, found });
    });
    child.once("exit", () => reject(new Error(`${command} ended: ${said}`)));
    child.once("error", reject);
  });
}
