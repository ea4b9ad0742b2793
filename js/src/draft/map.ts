/** Maps inside a draft: the proxy handler that makes one look like a plain object. */
import { Draft, type Recorder } from "./draft.js";
import { invalid } from "../base/error.js";
import { DELETE, type Op } from "../value/op.js";
import { wellFormed } from "../value/text.js";
import type { ValueMap } from "../value/value.js";

export class MapDraft extends Draft {
  readonly facade: object;

  constructor(recorder: Recorder, parent: Draft | undefined, key: string | number, base: ValueMap) {
    super(recorder, parent, key, base);
    this.facade = this.register({});
  }

  protected clone(): ValueMap {
    return { ...(this.base as ValueMap) };
  }

  protected locate(key: string | number): string | undefined {
    return typeof key === "string" && Object.hasOwn(this.now, key) ? key : undefined;
  }

  get(_: object, key: string | symbol): unknown {
    if (typeof key === "string" && Object.hasOwn(this.now, key)) return this.read(key);
    return Reflect.get(Object.prototype, key) as unknown;
  }

  has(_: object, key: string | symbol): boolean {
    return Object.hasOwn(this.now, key) || Reflect.has(Object.prototype, key);
  }

  set(_: object, key: string | symbol, value: unknown): boolean {
    const name = wellFormed(nameOf(key));
    if (value === undefined) return this.deleteProperty(undefined, name);
    this.assign(name, Object.hasOwn(this.now, name), value);
    return true;
  }

  deleteProperty(_: unknown, key: string | symbol): boolean {
    if (typeof key !== "string" || !Object.hasOwn(this.now, key)) return true;
    const op: Op = [DELETE, [...this.path(), key], 1];
    delete (this.edit() as ValueMap)[key];
    this.forget(key);
    this.recorder.add(op);
    return true;
  }

  ownKeys(): string[] {
    return Object.keys(this.now);
  }

  getOwnPropertyDescriptor(_: object, key: string | symbol): PropertyDescriptor | undefined {
    if (typeof key !== "string" || !Object.hasOwn(this.now, key)) return undefined;
    return { value: this.read(key), writable: true, enumerable: true, configurable: true };
  }

  setPrototypeOf(): boolean {
    throw invalid("a document's objects have no prototype to set");
  }
}

function nameOf(key: string | symbol): string {
  if (typeof key === "symbol") throw invalid("a document's keys are strings, not symbols");
  return key;
}
