/**
 * Who is here: what this replica shows of itself, and what others show. Nothing of it is kept. A replica takes part from
 * the first time that the application sets something, or looks.
 */
import { bindMethods } from "../base/bind.js";
import { checkFunction, checkText } from "../base/check.js";
import { invalid } from "../base/error.js";
import { hex } from "../base/id.js";
import { decodeAny, encode } from "../value/codec.js";
import { snapshot } from "../value/snapshot.js";
import { isMap, type Json } from "../value/value.js";
import type { SpaceContext } from "./context.js";
import type { Presence, Unsubscribe } from "./types.js";

const NOTHING: Uint8Array = new Uint8Array();

export class OwnPresence implements Presence {
  readonly #context: SpaceContext;
  readonly #listeners = new Set<{ listener: (others: ReadonlyMap<string, Json>) => void }>();
  #others: ReadonlyMap<string, Json> = new Map();
  /** What others show by now, where that is not in `#others` yet. */
  #next: Map<string, Json> | undefined;
  /** What `set` and `setPart` were given. */
  #own: Json | undefined;
  #parts: ReadonlyMap<string, Json> = new Map();
  #shown = NOTHING;
  #id: string | undefined;

  constructor(context: SpaceContext) {
    this.#context = context;
    bindMethods(this);
  }

  get id(): string {
    return this.#takePart();
  }

  get others(): ReadonlyMap<string, Json> {
    if (!this.#context.isClosed) this.#takePart();
    return this.#others;
  }

  set(state: Json | undefined): void {
    this.#context.check();
    const own = state === undefined ? undefined : (snapshot(state) as Json);
    this.#show(together(own, this.#parts));
    this.#own = own;
  }

  setPart(name: string, state: Json | undefined): void {
    this.#context.check();
    checkText("the name of a part", name);
    const parts = new Map(this.#parts);
    if (state === undefined) parts.delete(name);
    else parts.set(name, snapshot(state) as Json);
    this.#show(together(this.#own, parts));
    this.#parts = parts;
  }

  subscribe(listener: (others: ReadonlyMap<string, Json>) => void): Unsubscribe {
    checkFunction("a listener of the presence", listener);
    this.#takePart();
    const entry = { listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Another replica shows something else; nothing: it is not there any more. */
  heard(id: Uint8Array, state: Uint8Array): void {
    this.#next ??= new Map(this.#others);
    const shown = state.length === 0 ? undefined : readable(state);
    if (shown === undefined) this.#next.delete(hex(id));
    else this.#next.set(hex(id), shown.value);
  }

  /** Tells of what was heard. */
  refresh(): void {
    if (this.#next === undefined) return;
    const others = this.#next;
    this.#next = undefined;
    this.#others = others;
    for (const entry of this.#listeners) {
      this.#context.outbox.post(() => (this.#listeners.has(entry) ? entry.listener(others) : undefined));
    }
  }

  /** The space is closed: nobody is known any more. */
  end(): void {
    if (this.#others.size > 0) this.#next = new Map();
    this.refresh();
    this.#context.outbox.flush();
  }

  #takePart(): string {
    this.#context.check();
    return this.#id ?? this.#show(this.#shown);
  }

  #show(state: Uint8Array): string {
    const id = this.#context.run((engine) => engine.show(state));
    this.#shown = state;
    return (this.#id = hex(id));
  }
}

/** The state with its parts, as bytes. */
function together(own: Json | undefined, parts: ReadonlyMap<string, Json>): Uint8Array {
  if (parts.size === 0) return own === undefined ? NOTHING : encode(own);
  if (own !== undefined && !isMap(own)) throw invalid("a state that has parts is an object");
  return encode({ ...own, ...Object.fromEntries(parts) });
}

/** What another application wrote may be anything. */
function readable(state: Uint8Array): { value: Json } | undefined {
  try {
    return { value: decodeAny(state) as Json };
  } catch {
    return undefined;
  }
}
