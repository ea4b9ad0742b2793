// Processes of several replicas each, told what to do. This is the teller's side; `crew-process.mjs` is theirs.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROCESS = fileURLToPath(new URL("./crew-process.mjs", import.meta.url));

export class Crew {
  #child = fork(PROCESS, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  #waiting = new Map();
  #next = 0;

  constructor() {
    this.#child.on("message", ({ call, result, error }) => {
      const { resolve, reject } = this.#waiting.get(call);
      this.#waiting.delete(call);
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.#child.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`a process of replicas ended: ${code}`));
    });
  }

  /** `open`, `start`, `stop`, …: see `crew-process.mjs`. */
  tell(what, argument) {
    const call = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#child.send({ call, what, argument }, (error) => error && reject(error));
    });
  }

  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
