/** The built demo in browser windows, each with a profile of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import jsQR from "jsqr";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { freePorts } from "../free-ports.mjs";

const DEMO = fileURLToPath(new URL("../../demo/", import.meta.url));
const VITE = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));

/** No address of this machine: a page from there by plain HTTP is not in a secure context. */
const PLAIN_HOST = "192.0.2.1";

/** Builds the demo with these variables into a folder. */
export async function buildDemo(folder, variables) {
  const { VITE_RELAYS, VITE_CONTROL, ...env } = process.env;
  const building = vite(["build", "--logLevel", "warn", "--emptyOutDir", "--outDir", folder], { ...env, ...variables });
  const [code] = await once(building, "exit");
  if (code !== 0) throw new Error("the demo can't be built");
}

/** Serves the demo. With `variables` it is built for this test with these, and otherwise as it is, but for these files. */
export async function serveDemo(variables, without = []) {
  const folder = await mkdtemp(join(tmpdir(), "eyot-demo-"));
  const built = variables === undefined && without.length === 0 ? [] : ["--outDir", join(folder, "dist")];
  if (without.length > 0) {
    await cp(join(DEMO, "dist"), join(folder, "dist"), { recursive: true });
    for (const file of without) await rm(join(folder, "dist", file));
  }
  if (variables !== undefined) await buildDemo(join(folder, "dist"), variables);
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
  await window.waitForFunction(() => (document.querySelector("#carried")?.value ?? "") !== "");
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

/** What a camera reads of the QR code that a window shows in this element. */
export async function scanned({ window }, selector) {
  await window.locator(`${selector} svg`).waitFor();
  const pixels = await window.evaluate(async (selector) => {
    const size = 480;
    const code = document.querySelector(`${selector} svg`).cloneNode(true);
    code.setAttribute("width", size);
    code.setAttribute("height", size);
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(code))}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, size, size);
    context.drawImage(image, 0, 0);
    return { size, data: [...context.getImageData(0, 0, size, size).data] };
  }, selector);
  return jsQR(Uint8ClampedArray.from(pixels.data), pixels.size, pixels.size)?.data;
}
