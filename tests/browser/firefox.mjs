/** Debian's Firefox, or the one that `EYOT_FIREFOX` names, by WebDriver BiDi: as much of it as the tests need. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";

export const FIREFOX = process.env.EYOT_FIREFOX ?? ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find(existsSync);

/** It talks to nobody by itself, and tells its real addresses: nothing resolves the names that it would put there. */
const PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.update.enabled": false,
  "media.gmp-manager.updateEnabled": false,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
};

/** A browser with a fresh profile. */
export async function startFirefox() {
  const folder = await mkdtemp(join(tmpdir(), "eyot-firefox-"));
  const lines = Object.entries(PREFERENCES).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  await writeFile(join(folder, "user.js"), lines.join(""));
  const flags = ["--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"];
  const child = spawn(FIREFOX, flags, { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  const session = await Session.open(await addressOf(child));
  await session.ask("session.new", { capabilities: {} });
  return {
    /** A page of the site, with what a page of Playwright has of that. */
    async visit(url) {
      const { context } = await session.ask("browsingContext.create", { type: "tab" });
      await session.ask("browsingContext.navigate", { context, url, wait: "complete" });
      const page = { evaluate: (fn, argument) => session.call(context, fn, argument) };
      await page.evaluate(async () => {
        while (globalThis.eyot === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
      });
      return page;
    },
    async remove() {
      session.close();
      child.kill("SIGKILL");
      await exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function addressOf(child) {
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line);
    if (found !== null) return `${found[1]}/session`;
  }
  throw new Error("Firefox ended before it could be driven");
}

class Session {
  #socket;
  #asked = new Map();
  #next = 1;

  static async open(address) {
    const session = new Session();
    session.#socket = new WebSocket(address);
    session.#socket.on("message", (data) => session.#heard(JSON.parse(data)));
    await once(session.#socket, "open");
    return session;
  }

  ask(method, params) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject, method });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Calls a function in a page; the argument and what it gives back pass as JSON. */
  async call(context, fn, argument) {
    const { type, result, exceptionDetails } = await this.ask("script.callFunction", {
      functionDeclaration: `async (given) => JSON.stringify(await (${fn})(given && JSON.parse(given)))`,
      arguments: argument === undefined ? [] : [{ type: "string", value: JSON.stringify(argument) }],
      target: { context },
      awaitPromise: true,
    });
    if (type === "exception") throw new Error(exceptionDetails.text);
    return result.type === "string" ? JSON.parse(result.value) : undefined;
  }

  close() {
    this.#socket.terminate();
  }

  #heard({ id, type, result, message, error }) {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    if (type === "error") asked.reject(new Error(`${asked.method}: ${error}: ${message}`));
    else asked.resolve(result);
  }
}
