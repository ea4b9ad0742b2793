/** Methods that work without their object: `const { subscribe } = doc`, `useSyncExternalStore(doc.subscribe, …)`. */

/** Binds all methods of the object's class to the object. */
export function bindMethods(object: object): void {
  const properties = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(object) as object);
  for (const [name, { value }] of Object.entries(properties)) {
    if (typeof value !== "function" || name === "constructor") continue;
    const method = value as (...args: unknown[]) => unknown;
    // Not enumerable, as methods are.
    Object.defineProperty(object, name, { value: method.bind(object), configurable: true, writable: true });
  }
}
