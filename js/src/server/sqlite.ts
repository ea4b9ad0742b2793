/** SQLite in Node, as far as it is used here: the module that Node has from 22.13 on. */

export interface Statement {
  get(...values: unknown[]): Record<string, unknown> | undefined;
  iterate(...values: unknown[]): Iterable<Record<string, unknown>>;
  run(...values: unknown[]): unknown;
}

export interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

export type OpenDatabase = (path: string) => Database;

type Class = new (path: string) => Database;

const MISSING = "there is no SQLite here: use Node 22.13 or later";

/** Finds SQLite. Rejects where there is none. */
export async function findSqlite(): Promise<OpenDatabase> {
  const found = await inNode();
  if (found === undefined) throw new Error(MISSING);
  return (path) => new found(path);
}

async function inNode(): Promise<Class | undefined> {
  // Older versions that have it say at each start that it may change.
  const emitWarning = process.emitWarning;
  process.emitWarning = () => undefined;
  try {
    // Not a literal, because older versions of Node's types do not know it.
    const name = "node:sqlite";
    return ((await import(name)) as { DatabaseSync: Class }).DatabaseSync;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
