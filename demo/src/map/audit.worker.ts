/**
 * Looks up what was acknowledged. A replica that begins with nothing reads one region, so all that it finds was there. It runs
 * beside the page: a long history takes long to read.
 */
import { memory, openSpace, type Doc } from "eyot";

import type { Audited, Question } from "./audit.js";
import { NOTE, type Note } from "./note.js";

/** What a region has yet to be told by others may take so long to come. */
const COME_MAX_MS = 10_000;

const acknowledged: string[] = [];

self.addEventListener("message", ({ data }: MessageEvent<Question>) => {
  acknowledged.push(...data.acknowledged);
  void audit(data).then((audited) => self.postMessage(audited));
});

async function audit({ space: name, url }: Question): Promise<Audited> {
  const wanted = [...acknowledged];
  const space = await openSpace(name, { relays: [url], storage: memory() });
  try {
    const note = await space.named<Note>(NOTE, { text: "" });
    await space.synced({ timeout: COME_MAX_MS });
    return { looked: wanted.length, missing: await missing(note, wanted) };
  } catch {
    // It went down meanwhile, so nothing was found out.
    return { looked: undefined, missing: [] };
  } finally {
    await space.close();
  }
}

/** What is still not there when nothing has come for a while. */
async function missing(note: Doc<Note>, wanted: readonly string[]): Promise<string[]> {
  const deadline = Date.now() + COME_MAX_MS;
  for (;;) {
    const held = new Set(note.history().map(({ hash }) => hash));
    const left = wanted.filter((hash) => !held.has(hash));
    if (left.length === 0 || Date.now() > deadline) return left;
    await changed(note, deadline - Date.now());
  }
}

function changed(note: Doc<Note>, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      clearTimeout(timer);
      resolve();
    };
    const stop = note.subscribe(done);
    const timer = setTimeout(done, Math.max(waitMs, 0));
  });
}
