/** Hints of the browser that the network has come or gone. */

/** Starts calling `hint` with what the platform believes. Returns how to stop that. */
export type Network = (hint: (online: boolean) => void) => () => void;

export const networkHints: Network = (hint) => {
  if (typeof addEventListener !== "function") return () => undefined;
  const online = () => hint(true);
  const offline = () => hint(false);
  addEventListener("online", online);
  addEventListener("offline", offline);
  return () => {
    removeEventListener("online", online);
    removeEventListener("offline", offline);
  };
};
