/** Lets TypeScript accept imports of `.wasm` files, which `workerd` compiles. */
declare module "*.wasm" {
  const wasm: WebAssembly.Module;
  export default wasm;
}
