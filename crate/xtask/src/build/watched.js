let whenFailed = () => undefined;

/** `listener` is called with what the instance has thrown. The instance is not called again after that. */
export function onFailure(listener) {
  whenFailed = listener;
}

function watched(exports) {
  let hasFailed = false;
  let depth = 0;
  const watch =
    (call, isClosure) =>
    (...args) => {
      // The generated code looks for results in an array.
      if (hasFailed) return [];
      depth += 1;
      try {
        return call(...args);
      } catch (error) {
        if (!hasFailed) {
          hasFailed = true;
          whenFailed(error);
        }
        // A timer or a socket has nobody to tell, and in Node what it throws would end the process.
        if (isClosure && depth === 1) return [];
        throw error;
      } finally {
        depth -= 1;
      }
    };
  const all = Object.entries(exports).map(([name, it]) => {
    return [name, typeof it === "function" ? watch(it, name.startsWith("wasm_bindgen__convert__closures")) : it];
  });
  return Object.fromEntries(all);
}
