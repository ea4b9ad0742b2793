/** The list of a space's documents: the same array until something about it changes, and sent to subscribers then. */
import { checkFunction } from "../base/check.js";
import { clock } from "../base/clock.js";
import { formatId, hex } from "../base/id.js";
import type { SpaceContext } from "./context.js";
import type { DocInfo, Unsubscribe } from "./types.js";

type Listener = (documents: readonly DocInfo[]) => void;

/** How long subscribers wait for new sizes of documents. Otherwise each key that is pressed would cost a whole list. */
const SIZES_MS = 200;

export class DocList {
  readonly #context: SpaceContext;
  readonly #listeners = new Set<{ listener: Listener }>();
  #list: readonly DocInfo[] = Object.freeze([]);
  /** What is in `#list`, by id in hexadecimal. The public form of an id takes long to compute. */
  #known = new Map<string, DocInfo>();
  /** Whether `#list` may be out of date. */
  #isStale = true;
  /** What subscribers were told last. */
  #told: readonly DocInfo[] = this.#list;
  #isScheduled = false;
  #timer: unknown;

  constructor(context: SpaceContext) {
    this.#context = context;
  }

  get list(): readonly DocInfo[] {
    if (this.#isStale) {
      this.#isStale = false;
      const known = new Map<string, DocInfo>();
      for (const info of this.#context.run((engine) => engine.documents())) {
        const key = hex(info.id);
        const last = this.#known.get(key);
        const isSame = last?.name === info.name && last?.bytes === info.bytes && last?.commits === info.commits;
        known.set(key, last && isSame ? last : Object.freeze({ ...info, id: last?.id ?? formatId(info.id) }));
      }
      this.#known = known;
      const list = [...known.values()];
      const isNew = list.length !== this.#list.length || list.some((info, index) => info !== this.#list[index]);
      if (isNew) this.#list = Object.freeze(list);
    }
    return this.#list;
  }

  subscribe(listener: Listener): Unsubscribe {
    checkFunction("a listener of documents", listener);
    // Only what is different from now on is told.
    if (this.#listeners.size === 0) this.#told = this.list;
    const entry = { listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Documents have come or gone. Many calls in a row lead to one look at the engine. */
  changed(): void {
    this.#isStale = true;
    if (this.#listeners.size === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#tell();
    });
  }

  /** Documents may have grown. */
  grown(): void {
    this.#isStale = true;
    if (this.#listeners.size === 0 || this.#timer !== undefined) return;
    this.#timer = clock.setTimer(() => this.#tell(), SIZES_MS);
  }

  end(): void {
    clock.clearTimer(this.#timer);
    this.#listeners.clear();
  }

  #tell(): void {
    clock.clearTimer(this.#timer);
    this.#timer = undefined;
    if (this.#context.isClosed || this.#context.engine.dead !== undefined) return;
    const { list } = this;
    if (list === this.#told) return;
    this.#told = list;
    for (const entry of this.#listeners) {
      this.#context.outbox.post(() => (this.#listeners.has(entry) ? entry.listener(list) : undefined));
    }
    this.#context.outbox.flush();
  }
}
