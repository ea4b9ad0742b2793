/** Whose tokens count no more at a relay, although they have not expired. Kept in the object's storage. */

import type { SqlStorage } from "./platform.js";

const TABLE = "CREATE TABLE IF NOT EXISTS revoked (subject TEXT PRIMARY KEY, before INTEGER NOT NULL) WITHOUT ROWID";

/** What a request tells an object. */
export interface RevokedSubject {
  subject: string;
  /** Tokens that were issued before this time count no more, in milliseconds since 1970. */
  before: number;
}

export class Revoked {
  readonly #storage: SqlStorage;
  #before: Map<string, number> | undefined;

  constructor(storage: SqlStorage) {
    this.#storage = storage;
  }

  /** An earlier time than before gives nothing back. */
  add({ subject, before }: RevokedSubject): void {
    const known = this.#known();
    if ((known.get(subject) ?? -Infinity) >= before) return;
    this.#storage.sql.exec(TABLE);
    this.#storage.sql.exec("INSERT OR REPLACE INTO revoked (subject, before) VALUES (?, ?)", subject, before);
    known.set(subject, before);
  }

  /** `issuedAt`: in milliseconds since 1970; undefined where the token does not say. */
  has(subject: string, issuedAt: number | undefined): boolean {
    return (issuedAt ?? -Infinity) < (this.#known().get(subject) ?? -Infinity);
  }

  #known(): Map<string, number> {
    return (this.#before ??= new Map(this.#read()));
  }

  *#read(): Iterable<[string, number]> {
    const { sql } = this.#storage;
    // A relay where nobody was revoked has no such table.
    for (const _ of sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'revoked'")) {
      for (const { subject, before } of sql.exec("SELECT subject, before FROM revoked")) {
        yield [subject as string, before as number];
      }
    }
  }
}
