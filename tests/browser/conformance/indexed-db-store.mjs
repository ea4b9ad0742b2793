/** A store of one's own over IndexedDB: what `customStore` takes. A database for each place. */
export async function openIndexedDbStore(place) {
  const opening = indexedDB.open(place, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("entries");
  const database = await done(opening);
  const begin = (mode) => {
    const transaction = database.transaction("entries", mode, { durability: "strict" });
    return { transaction, entries: transaction.objectStore("entries") };
  };
  return {
    get(keys) {
      const { entries } = begin("readonly");
      return Promise.all(keys.map((key) => done(entries.get(key)).then((value) => value && new Uint8Array(value))));
    },
    async scan(from, to, bytesMax) {
      const { entries } = begin("readonly");
      const found = { keys: [], values: [], more: false };
      let size = 0;
      const request = entries.openCursor(IDBKeyRange.bound(from, to, false, true));
      for (let cursor = await done(request); cursor !== null; cursor = await done(request)) {
        if (found.keys.length > 0 && size >= bytesMax) return { ...found, more: true };
        found.keys.push(new Uint8Array(cursor.key));
        found.values.push(cursor.value);
        size += cursor.value.length;
        cursor.continue();
      }
      return found;
    },
    async write({ guardKey, guardValue, puts, deletes }) {
      const { transaction, entries } = begin("readwrite");
      const written = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      if (guardKey !== undefined && indexedDB.cmp((await done(entries.get(guardKey))) ?? [], guardValue ?? []) !== 0) {
        return false;
      }
      for (const key of deletes) entries.delete(key);
      for (const [key, value] of puts) entries.put(value, key);
      await written;
      return true;
    },
    async close() {
      database.close();
    },
  };
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
