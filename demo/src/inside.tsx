/** The inspector, which is loaded when somebody wants to look inside. */
import type { Space } from "eyot";
import { useSpace } from "eyot/react";
import { useEffect, useRef, useState, type ReactNode } from "react";

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "eyot-inspector": { ref?: React.Ref<HTMLElement & { space?: Space | undefined }> };
    }
  }
}

export function Inside(): ReactNode {
  const space = useSpace();
  const [isOpen, setOpen] = useState(false);
  const inspector = useRef<HTMLElement & { space?: Space | undefined }>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    let isOver = false;
    void import("eyot/inspector").then(() => {
      if (!isOver) inspector.current!.space = space;
    });
    // Folded, it follows nothing.
    const element = inspector.current!;
    return () => {
      isOver = true;
      element.space = undefined;
    };
  }, [space, isOpen]);
  return (
    <details id="inside" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Look inside this replica</summary>
      <eyot-inspector ref={inspector} />
    </details>
  );
}
