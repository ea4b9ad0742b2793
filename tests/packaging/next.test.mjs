/** The tarball in Next.js, with nothing to configure, and moved with the one line of the README. Run alone: node --test tests/packaging/next.test.mjs */
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { IMPORT, project, PROGRAM, RESULT, run, start, visit } from "./project.mjs";

const timeout = 300_000;
const NEXT = ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"];
const FILES = {
  "next.config.mjs": `export default {
    distDir: process.env.DIST,
    output: "standalone",
    outputFileTracingIncludes: { "/*": ["./node_modules/eyot/dist/eyot.wasm"] },
  };`,
  "app/layout.js": `export default ({ children }) => <html><body>{children}</body></html>;`,
  // A component of the server, and a route.
  "app/page.js": `${IMPORT}export const dynamic = "force-dynamic";
    export default async function Page() { ${PROGRAM} return <pre dangerouslySetInnerHTML={{ __html: result }} />; }`,
  "app/api/route.js": `${IMPORT}export const dynamic = "force-dynamic";
    export async function GET() { ${PROGRAM} return new Response(result); }`,
  // A component of the client, which a server renders first.
  "app/client/page.js": `"use client";
    ${IMPORT}
    import { SpaceProvider, useDoc, useNamed, useSpace } from "eyot/react";
    import { Suspense, useEffect } from "react";
    export default () => (
      <SpaceProvider open={() => openSpace("packaging")} fallback={<p>opening</p>}>
        <Suspense><Doc /></Suspense>
      </SpaceProvider>
    );
    function Doc() {
      const doc = useNamed(useSpace(), "doc", { list: ["made"], count: new Counter(1) });
      const value = useDoc(doc);
      useEffect(() => {
        if (value.list.length > 1) document.title = JSON.stringify({ ...value, url: doc.url });
        else doc.change((draft) => { draft.list.push("changed"); draft.count.increment(); });
      }, [doc, value]);
      return null;
    }`,
};

let app;
before(async () => (app = await project(FILES, NEXT)), { timeout });
after(() => app?.remove());

for (const bundler of ["turbopack", "webpack"]) {
  it(`by ${bundler}: pages and routes of the server, and pages of the client`, { timeout }, async () => {
    const next = join(app.folder, "node_modules/next/dist/bin/next");
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", DIST: `.next-${bundler}` };
    await run(process.execPath, [next, "build", `--${bundler}`], { cwd: app.folder, env });
    // On another machine: what the build was made from is not there, and its static files were copied, as Next.js asks for.
    const elsewhere = join(app.folder, `elsewhere-${bundler}`);
    const [built, gone] = [join(app.folder, "node_modules/eyot"), join(app.folder, "eyot-gone")];
    await rename(join(app.folder, env.DIST, "standalone"), elsewhere);
    await rename(join(app.folder, env.DIST, "static"), join(elsewhere, env.DIST, "static"));
    await rename(built, gone);
    const options = { cwd: elsewhere, env: { ...env, PORT: "0", HOSTNAME: "127.0.0.1" } };
    const { child, found } = await start(process.execPath, ["server.js"], options, /http:\/\/127\.0\.0\.1:(\d+)/);
    const url = `http://127.0.0.1:${found[1]}`;
    const text = async (path) => (await fetch(url + path)).text();
    try {
      assert.ok((await text("/")).includes(`<pre>${RESULT}</pre>`));
      assert.equal(await text("/api"), RESULT);
      assert.match(await text("/client"), /<p>opening<\/p>/);
      assert.equal(await visit(`${url}/client`), RESULT);
    } finally {
      child.kill("SIGKILL");
      await rename(gone, built);
    }
  });
}
