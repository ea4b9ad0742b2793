/**
 * The documents that components have open. A component that suspends loses its state, so what it waits for is kept here,
 * by space, until no component has used it for a while.
 */
import type { Space } from "../space/types.js";

interface Handle {
  close(): void;
}

/** How long a document stays open that no component uses: over a component's next mount, and until its first one. */
const LINGER_MS = 1_000;

const TABLES = new WeakMap<Space, Map<string, Opened<Handle>>>();

/** The document of that key in the space; `open` opens it if it is not there. */
export function opened<D extends Handle>(space: Space, key: string, open: () => Promise<D>): Opened<D> {
  const table = TABLES.get(space) ?? new Map<string, Opened<Handle>>();
  TABLES.set(space, table);
  const found = table.get(key) ?? new Opened<Handle>(open(), () => table.delete(key));
  table.set(key, found);
  return found as Opened<D>;
}

export class Opened<D extends Handle> {
  readonly #opening: Promise<void>;
  readonly #remove: () => void;
  #doc: D | undefined;
  #failure: { error: unknown } | undefined;
  #users = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** It is not in the table any more, and the handle is closed. */
  isLetGo = false;

  constructor(opening: Promise<D>, remove: () => void) {
    this.#remove = remove;
    this.#opening = opening.then(
      (doc) => {
        this.#doc = doc;
        this.#linger();
      },
      (error: unknown) => {
        this.#failure = { error };
        this.#linger();
      },
    );
  }

  /** The document, for a component that renders. Throws the error, or for Suspense the promise. */
  read(): D {
    if (this.#failure !== undefined) {
      // React renders once more before it believes an error. Whoever tries again after that opens anew.
      this.#wait(0);
      throw this.#failure.error;
    }
    if (this.#doc === undefined) throw this.#opening;
    this.#linger();
    return this.#doc;
  }

  /** A component uses it, until the function that is returned is called. */
  use(): () => void {
    this.#users += 1;
    clearTimeout(this.#timer);
    return () => {
      this.#users -= 1;
      this.#linger();
    };
  }

  #linger(): void {
    if (this.#users === 0) this.#wait(LINGER_MS);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#letGo(), ms);
  }

  #letGo(): void {
    this.isLetGo = true;
    this.#remove();
    this.#doc?.close();
  }
}
