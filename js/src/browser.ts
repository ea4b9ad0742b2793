/** What only browsers have. */

/** Tells when the browser believes that the network has come or gone. */
export function networkHints(hint: (online: boolean) => void): () => void {
  if (typeof addEventListener !== "function") return () => undefined;
  const online = () => hint(true);
  const offline = () => hint(false);
  addEventListener("online", online);
  addEventListener("offline", offline);
  return () => {
    removeEventListener("online", online);
    removeEventListener("offline", offline);
  };
}
