/** Renders the application as a server does, and prints what it sends. */
import { StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { App } from "./app.jsx";

const refuse = () => {
  throw new Error("a server loads no Wasm");
};
for (const name of ["compile", "instantiate", "Module"]) WebAssembly[name] = refuse;

process.stdout.write(
  renderToString(
    <StrictMode>
      <App name="hydrated" />
    </StrictMode>,
  ),
);
