/** Removes what a space has stored on this device. Nobody may have it open. */
import { EyotError } from "../base/error.js";
import type { ChosenStorage } from "./choice.js";
import type { Folders } from "./open.js";
import { spaceFolder } from "./space-folder.js";
import type { AsyncStore } from "./store.js";

/** How much is read at a time to learn the keys, in bytes. */
const SCAN_BYTES = 1024 * 1024;

export async function wipeStorage(space: string, chosen: ChosenStorage, folders: Folders | undefined): Promise<void> {
  switch (chosen.kind) {
    case "memory":
      return;
    case "indexedDb":
      // As the engine names it.
      return deleteDatabase(`${chosen.database ?? "eyot"}:${space}`);
    case "directory":
      // There are some, or the space could not have been opened.
      return folders!.remove(spaceFolder(chosen.path, space));
    case "custom":
      return empty(await chosen.open());
  }
}

function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    const fail = (message: string): void => reject(new EyotError("storage", message, { cause: request.error }));
    request.onsuccess = () => resolve();
    request.onerror = () => fail(`the database ${name} cannot be deleted`);
    request.onblocked = () => fail(`the database ${name} is open elsewhere, and is deleted once it is closed there`);
  });
}

/** In one batch, so that a crash leaves all or nothing. */
async function empty(store: AsyncStore): Promise<void> {
  try {
    const all: Uint8Array[] = [];
    let from = Uint8Array.of();
    for (let more = true; more;) {
      // No key of ours begins with this byte.
      const found = await store.scan(from, Uint8Array.of(0xff), SCAN_BYTES);
      all.push(...found.keys);
      more = found.more;
      from = Uint8Array.of(...(all.at(-1) ?? []), 0);
    }
    await store.write({ puts: [], deletes: all });
  } finally {
    await store.close();
  }
}
