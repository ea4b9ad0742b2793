/**
 * `<eyot-inspector>`, an element that shows what a space holds and does. Importing this module defines it:
 *
 *     import "eyot/inspector";
 *     document.querySelector("eyot-inspector").space = space;
 *
 * @module inspector
 */
import { EyotInspector } from "../inspector/element.js";

export { EyotInspector };

declare global {
  interface HTMLElementTagNameMap {
    "eyot-inspector": EyotInspector;
  }
}

if (typeof customElements !== "undefined" && customElements.get("eyot-inspector") === undefined) {
  customElements.define("eyot-inspector", EyotInspector);
}
