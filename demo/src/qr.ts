/** A text as a QR code, which another device's camera reads. */
import { encode } from "uqr";

const SVG = "http://www.w3.org/2000/svg";
/** Readers need this much of nothing around a code. */
const QUIET = 4;

export function qrCode(text: string): SVGSVGElement {
  const { data } = encode(text, { ecc: "L", border: QUIET });
  const dark = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  const code = document.createElementNS(SVG, "svg");
  code.setAttribute("viewBox", `0 0 ${data.length} ${data.length}`);
  code.setAttribute("role", "img");
  code.setAttribute("aria-label", "The same text as a QR code");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", dark.join(""));
  code.append(path);
  return code;
}
