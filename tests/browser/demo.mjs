/** The built demo in browser windows, each with a profile of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { freePorts } from "../free-ports.mjs";

const DEMO = fileURLToPath(new URL("../../demo/", import.meta.url));
const VITE = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));

/** No address of this machine: a page from there by plain HTTP is not in a secure context. */
const PLAIN_HOST = "192.0.2.1";

/** Serves the demo. With `variables` it is built for this test with these, and otherwise as it is, but for these files. */
export async function serveDemo(variables, without = []) {
  const folder = await mkdtemp(join(tmpdir(), "eyot-demo-"));
  const built = variables === undefined && without.length === 0 ? [] : ["--outDir", join(folder, "dist")];
  if (without.length > 0) {
    await cp(join(DEMO, "dist"), join(folder, "dist"), { recursive: true });
    for (const file of without) await rm(join(folder, "dist", file));
  }
  if (variables !== undefined) {
    const building = vite(["build", "--logLevel", "warn", "--emptyOutDir", ...built], { ...process.env, ...variables });
    const [code] = await once(building, "exit");
    if (code !== 0) throw new Error("the demo can't be built");
  }
  const [port] = await freePorts(1);
  const server = vite(["preview", "--host", "127.0.0.1", "--strictPort", "--port", String(port), ...built]);
  await once(server.stdout, "data");
  const contexts = [];
  return {
    /** A window of somebody. */
    async open(name, query = "") {
      const opened = await this.visit(name, query);
      await opened.window.getByTestId("note").waitFor();
      return opened;
    },
    /** A window that may show anything, and the errors in it that nobody has handled. */
    async visit(name, query = "", { isSecure = true } = {}) {
      const args = [...CHROMIUM.args, `--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`];
      const context = await chromium.launchPersistentContext(join(folder, name), { ...CHROMIUM, args });
      contexts.push(context);
      const window = await context.newPage();
      const errors = [];
      window.on("pageerror", (error) => errors.push(error.message));
      await window.goto(`http://${isSecure ? "127.0.0.1" : PLAIN_HOST}:${port}/${query}`);
      return { context, window, errors };
    },
    async close() {
      await Promise.all(contexts.map((context) => context.close()));
      server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function vite(args, env = process.env) {
  return spawn(process.execPath, [VITE, ...args], { cwd: DEMO, env, stdio: ["ignore", "pipe", "inherit"] });
}

/** The text that a window asks its person to carry. */
export async function carried({ window }) {
  await window.waitForFunction(() => document.querySelector("#carried").value !== "");
  return window.getByTestId("carried").inputValue();
}

export async function paste({ window }, text) {
  await window.getByTestId("pasted").fill(text);
  await window.keyboard.press("Enter");
}

/** Resolves once a window shows this note. */
export function noteIs({ window }, text) {
  return window.waitForFunction((text) => {
    const lines = [...document.querySelectorAll("#note .cm-line")].map((line) => {
      const copy = line.cloneNode(true);
      for (const added of copy.querySelectorAll(".eyot-caret, .cm-placeholder")) added.remove();
      return copy.textContent;
    });
    return lines.join("\n") === text;
  }, text);
}

/** The window's note becomes this text, by its keys: what only the page has selected may be selected anew before it is replaced. */
export async function rewrite({ window }, text) {
  await window.getByTestId("note").focus();
  await window.keyboard.press("Control+a");
  await window.keyboard.insertText(text);
}

/** The window's caret is before the first character of the note. */
export async function goToStart({ window }) {
  await window.getByTestId("note").focus();
  await window.keyboard.press("Control+Home");
}

export function statusSays({ window }, words) {
  return window.waitForFunction((words) => document.querySelector("#status")?.textContent.includes(words), words);
}
