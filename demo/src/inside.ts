/** The inspector, which is loaded when somebody wants to look inside. */
import type { Space } from "eyot";

export function showInside(space: Space): void {
  const inside = document.querySelector<HTMLDetailsElement>("#inside")!;
  inside.addEventListener("toggle", () => {
    const inspector = document.querySelector("eyot-inspector")!;
    // Folded, it follows nothing.
    if (!inside.open) return void (inspector.space = undefined);
    void import("eyot/inspector").then(() => (inspector.space = inside.open ? space : undefined));
  });
}
