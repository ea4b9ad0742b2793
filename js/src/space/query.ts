/** A live query over the values of a space's documents: which match, in which order. */
import { checkBoolean, checkFunction, kindOf, optionsOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { formatId, type DocId } from "../base/id.js";
import { alike, compare } from "../value/order.js";
import { isMap, type Value, type ValueMap } from "../value/value.js";
import type { SpaceContext } from "./context.js";
import type { DocValues, Follower, HeldValue } from "./doc-values.js";
import type { LiveQuery, Query, QueryResult, Unsubscribe } from "./types.js";

type Results = readonly QueryResult<ValueMap>[];

/** A document that matches. */
interface Row {
  readonly key: string;
  /** What it is ordered by. */
  readonly by: unknown;
  readonly doc: HeldValue;
  /** Made when it is shown first. */
  result: QueryResult<ValueMap> | undefined;
}

const EMPTY: Results = Object.freeze([]);

/** What a query asks for, checked. */
interface Asked {
  readonly matches: (value: ValueMap) => boolean;
  readonly orderBy: string | undefined;
  readonly descending: boolean;
  readonly limit: number;
}

export class OpenQuery<T extends object> implements LiveQuery<T>, Follower {
  readonly ready: Promise<void>;
  readonly #context: SpaceContext;
  readonly #values: DocValues;
  readonly #asked: Asked;
  readonly #rows = new Map<string, Row>();
  /** All that match, in order. */
  readonly #sorted: Row[] = [];
  #results: Results = EMPTY;
  /** Whether `#results` may be out of date. */
  #isStale = false;
  /** What subscribers were told last. */
  #told: Results = EMPTY;
  #isClosed = false;
  readonly #listeners = new Set<{ listener: (results: unknown) => void }>();

  constructor(context: SpaceContext, values: DocValues, query: Query<T>) {
    this.#context = context;
    this.#values = values;
    this.#asked = asked(query as Query<ValueMap>, context);
    this.ready = values.follow(this);
    this.ready.catch(() => undefined);
    if (values.isLoaded) {
      this.fill(values.values);
      this.#told = this.#current();
    }
    this.subscribe = this.subscribe.bind(this);
    this.close = this.close.bind(this);
  }

  get results(): LiveQuery<T>["results"] {
    if (!this.#isClosed) this.#values.refresh();
    const results: unknown = this.#current();
    return results as LiveQuery<T>["results"];
  }

  subscribe(listener: (results: LiveQuery<T>["results"]) => void): Unsubscribe {
    checkFunction("a listener of a query", listener);
    this.#context.check();
    if (this.#isClosed) throw new EyotError("closed", "this query is closed");
    const entry = { listener: listener as (results: unknown) => void };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#current();
    this.#isClosed = true;
    this.#listeners.clear();
    this.#values.leave(this);
  }

  // What the values tell.

  fill(values: Iterable<[string, HeldValue]>): void {
    for (const [key, doc] of values) {
      const row = this.#rowOf(key, doc);
      if (row === undefined) continue;
      this.#rows.set(key, row);
      this.#sorted.push(row);
    }
    this.#sorted.sort((a, b) => (this.#isBefore(a, b) ? -1 : 1));
    this.#isStale = true;
  }

  set(key: string, doc: HeldValue | undefined): void {
    const old = this.#rows.get(key);
    if (old !== undefined) {
      this.#rows.delete(key);
      this.#sorted.splice(this.#place(old), 1);
      this.#isStale = true;
    }
    const row = doc && this.#rowOf(key, doc);
    if (row === undefined) return;
    this.#rows.set(key, row);
    this.#sorted.splice(this.#place(row), 0, row);
    this.#isStale = true;
  }

  told(): void {
    const results = this.#current();
    if (results === this.#told) return;
    this.#told = results;
    for (const entry of this.#listeners) {
      this.#context.outbox.post(() => (this.#listeners.has(entry) ? entry.listener(results) : undefined));
    }
  }

  #rowOf(key: string, doc: HeldValue): Row | undefined {
    const { matches, orderBy } = this.#asked;
    if (!matches(doc.value)) return undefined;
    const by = orderBy === undefined ? undefined : doc.value[orderBy];
    return { key, by, doc, result: undefined };
  }

  /** Where a row is in the order, or would be. */
  #place(row: Row): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(this.#sorted[middle]!, row)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(a: Row, b: Row): boolean {
    const order = compare(a.by, b.by);
    if (order !== 0) return this.#asked.descending ? order > 0 : order < 0;
    return a.key < b.key;
  }

  #current(): Results {
    if (!this.#isStale) return this.#results;
    this.#isStale = false;
    const count = Math.min(this.#asked.limit, this.#sorted.length);
    const last = this.#results;
    const isSame = count === last.length && last.every((result, index) => result === this.#sorted[index]!.result);
    if (!isSame) this.#results = Object.freeze(this.#sorted.slice(0, count).map(resultOf));
    return this.#results;
  }
}

function asked(query: Query<ValueMap>, context: SpaceContext): Asked {
  const names = ["where", "orderBy", "descending", "limit"] as const;
  const { where, orderBy, descending = false, limit = Infinity } = optionsOf<Query<ValueMap>>("query()", query, names);
  checkBoolean("descending", descending);
  if (orderBy !== undefined && typeof orderBy !== "string") throw invalid(`orderBy is a key, not ${kindOf(orderBy)}`);
  if (limit !== Infinity && !(Number.isInteger(limit) && limit >= 0)) throw invalid("limit is a whole number, from 0");
  return { matches: matcher(where, context), orderBy, descending, limit };
}

function matcher(where: Query<ValueMap>["where"], context: SpaceContext): (value: ValueMap) => boolean {
  if (where === undefined) return () => true;
  if (typeof where === "function") {
    return (value) => {
      try {
        return Boolean(where(value as Value<ValueMap>));
      } catch (error) {
        // What is wrong with one document must not keep the others from being found.
        context.outbox.post(() => {
          throw error;
        });
        return false;
      }
    };
  }
  if (!isMap(where)) throw invalid(`where is a function, or an object of keys and values, not ${kindOf(where)}`);
  const entries = Object.entries(where);
  return (value) => entries.every(([key, wanted]) => alike(Object.hasOwn(value, key) ? value[key] : undefined, wanted));
}

/** Its id is worked out when it is asked for, because that takes longer than all the rest. */
function resultOf(row: Row): QueryResult<ValueMap> {
  if (row.result !== undefined) return row.result;
  const { bytes, value } = row.doc;
  let id: DocId | undefined;
  const result = {
    get id() {
      return (id ??= formatId(bytes));
    },
    value,
  };
  return (row.result = Object.freeze(result) as QueryResult<ValueMap>);
}
