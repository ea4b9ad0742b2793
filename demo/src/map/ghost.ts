/** A ghost that writes in one place after the other, until somebody else does. */
import { splice, type Json } from "eyot";

import { TEXT } from "./note.js";
import type { RegionName } from "./places.js";
import type { Site } from "./site.js";
import { Watched } from "./watched.js";

const KEY_MS = 70;
const BREATH_MS = 500;
const TELL_MAX_MS = 5_000;
/** It does not fill disks while nobody looks on. */
const ROUNDS_MAX = 6;

const LINES: readonly (readonly [RegionName, string])[] = [
  ["eu", "Guten Tag from Frankfurt. "],
  ["us", "Good morning from Virginia. "],
  ["ap", "And good night from Singapore.\n"],
  ["us", "Each of us writes to a disk of its own, "],
  ["ap", "then to the nearest relay, "],
  ["eu", "then to a second region.\n"],
  ["ap", "Cut us off, kill a region: "],
  ["us", "nothing is lost. "],
  ["eu", "Write here yourself!\n"],
];

export class Ghost {
  /** Where it writes; undefined: it does not. */
  readonly place = new Watched<RegionName | undefined>(undefined);
  readonly isOn = new Watched(false);
  readonly #sites: readonly Site[];
  /** How often it has begun: of two that overlap the later one goes on. */
  #runs = 0;
  /** Everything in the note is the ghost's, so it may clear it away. */
  #isAlone: boolean;

  constructor(sites: readonly Site[]) {
    this.#sites = sites;
    this.#isAlone = sites.every(({ note }) => note.value.text === "");
    for (const { space } of sites) space.presence.subscribe((others) => this.#notice(others));
  }

  start(): void {
    if (this.isOn.value) return;
    this.isOn.value = true;
    void this.#haunt();
  }

  stop(): void {
    this.isOn.value = false;
    this.place.value = undefined;
  }

  /** Somebody has written in one of the editors. */
  someoneWrites(): void {
    this.#isAlone = false;
    this.stop();
  }

  async #haunt(): Promise<void> {
    const run = ++this.#runs;
    const goesOn = (): boolean => this.isOn.value && this.#runs === run;
    let last = this.#sites[0]!;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      for (const [region, line] of LINES) {
        const site = this.#sites.find(({ place }) => place.region === region)!;
        await toBeTold(site, last);
        if (!goesOn()) return;
        last = site;
        this.place.value = region;
        if (!(await write(site, line, goesOn))) return;
      }
      await pause(4 * BREATH_MS);
      if (!goesOn()) return;
      if (this.#isAlone) this.#sites[0]!.note.change((draft) => void (draft.text = ""));
    }
    this.stop();
  }

  /** Carets that move and are of no replica of this page: somebody is at it in another window. */
  readonly #seen = new Map<string, string>();

  #notice(others: ReadonlyMap<string, Json>): void {
    for (const [id, state] of others) {
      if (this.#sites.some(({ space }) => space.presence.id === id)) continue;
      const caret = JSON.stringify((state as { caret?: Json } | null)?.caret ?? null);
      const before = this.#seen.get(id);
      this.#seen.set(id, caret);
      if (before !== undefined && before !== caret) this.someoneWrites();
    }
  }
}

/** Writes at the end of the note, a key at a time, as long as `goesOn`. False: it was stopped. */
export async function write({ note, space }: Site, line: string, goesOn: () => boolean): Promise<boolean> {
  try {
    for (const key of line) {
      await pause(KEY_MS);
      while (document.visibilityState === "hidden" && goesOn()) await pause(BREATH_MS);
      if (!goesOn() || space.status.state === "closed") return false;
      note.change((draft) => splice(draft, TEXT, draft.text.length, 0, key));
      space.presence.setPart("caret", { anchor: note.cursor(TEXT, note.value.text.length) });
    }
    await pause(BREATH_MS);
    return goesOn();
  } finally {
    if (space.status.state !== "closed") space.presence.setPart("caret", undefined);
  }
}

/** Resolves once one replica shows what the other does. It may be offline, and then it is not waited for. */
function toBeTold({ note }: Site, from: Site): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (note.value.text === from.note.value.text) done();
    };
    const done = (): void => {
      stop();
      clearTimeout(timer);
      resolve();
    };
    const stop = note.subscribe(look);
    const timer = setTimeout(done, TELL_MAX_MS);
    look();
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
