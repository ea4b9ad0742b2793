/** The Wasm as a compiled module, as `workerd` loads it. Here, for a build names the file beside all entries. */
export { default } from "./eyot.wasm";
