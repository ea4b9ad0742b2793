/** The count that runs: how many changes were acknowledged, and whether each of them is still there. */
import type { Acknowledged } from "./acknowledged.js";
import type { Region } from "../control.js";
import type { Site } from "./site.js";
import { Watched } from "./watched.js";

/** What the worker is asked: to look up in this region whatever was acknowledged so far. */
export interface Question {
  space: string;
  url: string;
  /** The hashes since the last question. */
  acknowledged: readonly string[];
}

export interface Audited {
  /** Undefined: the region could not be read. */
  looked: number | undefined;
  /** The hashes that were not found. */
  missing: readonly string[];
}

export interface Findings {
  region: string;
  looked: number;
  found: number;
  /** Neither in that region nor in any replica. */
  lost: number;
}

const PAUSE_MS = 3_000;

export class Audit {
  /** Undefined until something was looked up. */
  readonly findings = new Watched<Findings | undefined>(undefined);
  readonly #worker = new Worker(new URL("./audit.worker.ts", import.meta.url), { type: "module" });
  readonly #acknowledged: Acknowledged;
  readonly #sites: readonly Site[];
  /** As they are now. */
  regions: readonly Region[] = [];
  #asked = 0;
  #turn = 0;

  constructor(acknowledged: Acknowledged, sites: readonly Site[]) {
    this.#acknowledged = acknowledged;
    this.#sites = sites;
    this.#later();
  }

  #later(): void {
    setTimeout(() => void this.#look().finally(() => this.#later()), PAUSE_MS);
  }

  /** In one region, another each time. */
  async #look(): Promise<void> {
    const up = this.regions.filter((region) => region.up);
    const next = up[this.#turn++ % up.length];
    const { hashes } = this.#acknowledged;
    if (next === undefined || hashes.length === 0 || document.visibilityState === "hidden") return;
    const acknowledged = hashes.slice(this.#asked);
    this.#asked = hashes.length;
    const space = this.#sites[0]!.space.name;
    const { looked, missing } = await this.#ask({ space, url: next.ways[next.region]!, acknowledged });
    if (looked === undefined) return;
    const found = looked - missing.length;
    this.findings.value = { region: next.region, looked, found, lost: missing.length && this.#nowhere(missing) };
  }

  #ask(question: Question): Promise<Audited> {
    return new Promise((resolve) => {
      this.#worker.addEventListener("message", ({ data }: MessageEvent<Audited>) => resolve(data), { once: true });
      this.#worker.postMessage(question);
    });
  }

  #nowhere(hashes: readonly string[]): number {
    const held = new Set(this.#sites.flatMap(({ note }) => note.history().map(({ hash }) => hash)));
    return hashes.filter((hash) => !held.has(hash)).length;
  }
}
