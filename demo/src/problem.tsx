/** What is shown when nothing more can be written: it is said, rather than lose what is typed. */
import { EyotError } from "eyot";
import { Component, type ReactNode } from "react";

export function Problem({ children }: { children: ReactNode }): ReactNode {
  return (
    <p id="problem" role="alert">
      {children} What was saved is safe.{" "}
      <button type="button" onClick={() => location.reload()}>
        Reload
      </button>
    </p>
  );
}

/** Shows what has kept the space from opening, or a component from rendering. */
export class Boundary extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    return "error" in this.state ? <Problem>{explain(this.state.error)}</Problem> : this.props.children;
  }
}

function explain(error: unknown): string {
  if (!(error instanceof EyotError)) return `The page could not start: ${String(error)}`;
  switch (error.code) {
    case "wasm":
      return `This browser could not start eyot's WebAssembly. ${error.message}`;
    case "storage":
    case "corrupt":
      return `What is kept on this device cannot be read. ${error.message}`;
    default:
      return error.message;
  }
}
