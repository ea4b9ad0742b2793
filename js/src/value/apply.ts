/** Applies patches to a document's value. The result shares all parts that no patch touches with the old value. */
import type { Patch, Path } from "./patch.js";
import { Counter, isContainer, isMap, orderKeys, setKey, spliceList, type Container, type ValueMap } from "./value.js";

/** The value with the patches applied. Throws if a patch does not fit it. */
export function applyPatches<T extends object>(value: T, patches: readonly Patch[]): T {
  const edition = new Edition(value as Container);
  for (const patch of patches) edition.apply(patch);
  return edition.finish() as T;
}

/** A value under construction: containers that it made are changed in place, all others are copied first. */
class Edition {
  readonly #made = new Set<object>();
  #root: Container;

  constructor(value: Container) {
    this.#root = value;
  }

  apply(patch: Patch): void {
    switch (patch.action) {
      case "put":
        return this.#put(patch.path, this.#take(patch.value));
      case "insert": {
        const [list, index] = this.#place(patch.path);
        if (isMap(list) || typeof index !== "number" || index > list.length) throw misfit();
        const values = patch.values.map((value: unknown) => this.#take(value));
        return spliceList(list, index, 0, values);
      }
      case "splice":
        return this.#editText(patch.path, 0, patch.value);
      case "del":
        return this.#remove(patch.path, patch.length ?? 1);
      case "inc": {
        const [owner, key] = this.#place(patch.path);
        const old = (owner as ValueMap)[key];
        if (!(old instanceof Counter)) throw misfit();
        return this.#put(patch.path, Object.freeze(new Counter(old.value + Number(patch.value))));
      }
      default:
        // Marks are not part of the value.
        return;
    }
  }

  finish(): Container {
    for (const container of this.#made) {
      if (isMap(container)) orderKeys(container);
      Object.freeze(container);
    }
    return this.#root;
  }

  #put(path: Path, value: unknown): void {
    const [owner, key] = this.#place(path);
    if (Array.isArray(owner) && !(typeof key === "number" && key < owner.length)) throw misfit();
    setKey(owner as ValueMap, key as string, value);
  }

  #remove(path: Path, count: number): void {
    const above = path.slice(0, -1);
    if (above.length > 0 && typeof this.#peek(above) === "string") return this.#editText(path, count, "");
    const [owner, key] = this.#place(path);
    if (Array.isArray(owner)) owner.splice(key as number, count);
    else delete owner[key];
  }

  #editText(path: Path, remove: number, insert: string): void {
    const index = path[path.length - 1];
    const [owner, key] = this.#place(path.slice(0, -1));
    const text = (owner as ValueMap)[key];
    if (typeof text !== "string" || typeof index !== "number" || index > text.length) throw misfit();
    setKey(owner as ValueMap, key as string, text.slice(0, index) + insert + text.slice(index + remove));
  }

  #peek(path: Path): unknown {
    const [owner, key] = this.#place(path);
    return Object.hasOwn(owner, key) ? (owner as ValueMap)[key] : undefined;
  }

  /** The container of a path's last key, copied so that it may be changed. */
  #place(path: Path): [Container, string | number] {
    const last = path[path.length - 1];
    if (last === undefined) throw misfit();
    let container = (this.#root = this.#own(this.#root));
    for (const key of path.slice(0, -1)) {
      const inner = Object.hasOwn(container, key) ? (container as ValueMap)[key] : undefined;
      if (!isContainer(inner)) throw misfit();
      const own = this.#own(inner);
      if (own !== inner) setKey(container as ValueMap, key as string, own);
      container = own;
    }
    return [container, last];
  }

  #own(container: Container): Container {
    if (this.#made.has(container)) return container;
    const copy = Array.isArray(container) ? container.slice() : { ...container };
    this.#made.add(copy);
    return copy;
  }

  /** Copies a patch's value, because the patch itself is given to subscribers and must not change. */
  #take(value: unknown): unknown {
    if (!isContainer(value)) return value;
    const own = this.#own(value);
    for (const key of Object.keys(own)) {
      const inner = (own as ValueMap)[key];
      if (typeof inner === "object") setKey(own as ValueMap, key, this.#take(inner));
    }
    return own;
  }
}

function misfit(): Error {
  return new Error("a patch does not fit the document's value");
}
