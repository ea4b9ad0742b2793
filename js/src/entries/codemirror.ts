/** Texts of documents in CodeMirror 6. */
export { eyotText } from "../codemirror/text.js";
export type { TextOptions, UndoTarget } from "../codemirror/text.js";
