/** What the engine can be made from: the application passes one of these to `initialize` of `eyot/slim`. */
export type WasmSource = WebAssembly.Module | Response | BufferSource;
