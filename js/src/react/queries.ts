/** A hook over what matches a query. */
import { useCallback, useMemo, useSyncExternalStore } from "react";
import { EyotError } from "../base/error.js";
import type { LiveQuery, Query, Space } from "../space/types.js";
import { listen } from "./listen.js";

/** How long a query goes on that no component uses: over a component's next mount, and until its first one. */
const LINGER_MS = 1_000;

/** The queries of components, by space: those that ask for the same share one. */
const TABLES = new WeakMap<Space, Map<string, Shared>>();

/** Numbers for functions, by which two queries are known to be the same. */
const NUMBERS = new WeakMap<object, number>();
let last = 0;

/**
 * The documents that match a query, see `Space.query`; none until all values are read. Renders again whenever they are
 * others. A `where` that is an object may be written where it is used. One that is a function is best kept by
 * `useCallback`: a new one looks at all documents again.
 */
export function useQuery<T extends object>(space: Space, query: Query<T>): LiveQuery<T>["results"] {
  const { where, orderBy, descending, limit } = query;
  const key = useMemo(
    () => JSON.stringify([whereKey(where), orderBy, descending, limit]),
    [where, orderBy, descending, limit],
  );
  // The key says all that there is to say of a query. After a pause it may be made anew.
  const shared = useCallback(() => sharedOf(space, key, query as Query<object>), [space, key]);
  const subscribe = useCallback((listener: () => void) => shared().use(listener), [shared]);
  const snapshot = (): LiveQuery<object>["results"] => shared().results;
  const results: unknown = useSyncExternalStore(subscribe, snapshot, () => NONE);
  return results as LiveQuery<T>["results"];
}

const NONE: readonly never[] = Object.freeze([]);

function whereKey(where: Query<object>["where"]): unknown {
  if (typeof where !== "function") return where === undefined ? null : [typeKey(where)];
  const number = NUMBERS.get(where) ?? (last += 1);
  NUMBERS.set(where, number);
  return number;
}

/** As JSON, with what JSON makes the same kept apart. */
function typeKey(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(typeKey);
  if (typeof value !== "object" || value === null) return [typeof value, String(value)];
  const { constructor } = value;
  if (constructor !== Object && constructor !== undefined) return [constructor.name, JSON.stringify(value)];
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, typeKey(part)]));
}

function sharedOf(space: Space, key: string, query: Query<object>): Shared {
  const table = TABLES.get(space) ?? new Map<string, Shared>();
  TABLES.set(space, table);
  const found = table.get(key) ?? new Shared(space, query, () => table.delete(key));
  table.set(key, found);
  return found;
}

class Shared {
  readonly #query: LiveQuery<object> | undefined;
  readonly #remove: () => void;
  #users = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(space: Space, query: Query<object>, remove: () => void) {
    this.#remove = remove;
    try {
      this.#query = space.query(query);
    } catch (error) {
      // A component may render once more before it hears that the space is closed.
      if (!(error instanceof EyotError && error.code === "closed")) throw error;
    }
    this.#linger();
  }

  get results(): LiveQuery<object>["results"] {
    return this.#query?.results ?? NONE;
  }

  /** A component uses it, until the function that is returned is called. */
  use(listener: () => void): () => void {
    this.#users += 1;
    clearTimeout(this.#timer);
    const unsubscribe = this.#query && listen(this.#query.subscribe, listener);
    return () => {
      unsubscribe?.();
      this.#users -= 1;
      this.#linger();
    };
  }

  #linger(): void {
    if (this.#users > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#remove();
      this.#query?.close();
    }, LINGER_MS);
  }
}
