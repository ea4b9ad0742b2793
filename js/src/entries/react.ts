"use client";
/** React hooks over spaces and documents. Importing it starts nothing and loads no Wasm, on a server too. */
export { useDoc, useStatus } from "../react/values.js";
export { useUndo } from "../react/undo.js";
export { useDocument, useDocuments, useNamed } from "../react/documents.js";
export { useQuery } from "../react/queries.js";
export { usePresence } from "../react/presence.js";
export { SpaceProvider, useSpace } from "../react/provider.js";
export type { SpaceProviderProps } from "../react/provider.js";
