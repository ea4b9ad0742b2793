// Three regions: a native relay each, as a process that can be killed, wiped and revived, and how far they are apart.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePorts } from "../free-ports.mjs";

export const REGIONS = ["eu", "us", "ap"];

/** A round trip between a client's neighbourhood and the relay in it. */
const NEAR_MS = 2;
const ROUND_TRIP_MS = { "eu us": 30, "us ap": 80, "eu ap": 140 };

/** One way, in milliseconds. */
export function oneWayMs(from, to) {
  if (from === to) return NEAR_MS / 2;
  return (ROUND_TRIP_MS[`${from} ${to}`] ?? ROUND_TRIP_MS[`${to} ${from}`]) / 2;
}

/** The relays of all regions, each knowing the others, started. */
export async function startRegions({ program, folder }) {
  const ports = await freePorts(REGIONS.length);
  const regions = REGIONS.map((name, index) => new Region(program, name, ports[index], join(folder, name)));
  for (const region of regions) region.peers = regions.filter((other) => other !== region);
  await Promise.all(regions.map((region) => region.start()));
  return regions;
}

class Region {
  peers = [];
  #program;
  #child;

  constructor(program, name, port, data) {
    this.#program = program;
    this.name = name;
    this.port = port;
    this.data = data;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}`;
  }

  async start() {
    await mkdir(this.data, { recursive: true });
    const peers = this.peers.flatMap(({ name, url }) => [
      ...["--peer", `${name}=${url}`],
      ...["--simulate-delay", `${name}=${oneWayMs(this.name, name)}`],
    ]);
    const where = ["--region", this.name, "--listen", `127.0.0.1:${this.port}`, "--data", this.data];
    const log = await open(`${this.data}.log`, "a");
    this.#child = spawn(this.#program, ["serve", ...where, "--auth", "open", ...peers], {
      stdio: ["ignore", "pipe", log.fd],
    });
    await log.close();
    const lines = createInterface({ input: this.#child.stdout });
    await new Promise((resolve, reject) => {
      lines.on("line", (line) => line.startsWith("ready ") && resolve());
      lines.on("close", () => reject(new Error(`the relay of ${this.name} ended before it was ready`)));
    });
  }

  /** Without a word, as a machine that loses power. */
  async kill() {
    if (this.#child === undefined) return;
    const ended = once(this.#child, "exit");
    if (this.#child.exitCode !== null || !this.#child.kill("SIGKILL")) {
      throw new Error(`the relay of ${this.name} had ended by itself: ${this.#child.exitCode}`);
    }
    await ended;
    this.#child = undefined;
  }

  async wipe() {
    await rm(this.data, { recursive: true, force: true });
  }
}
