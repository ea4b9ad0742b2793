/** A text as a QR code, which another device's camera reads. */
import { useMemo, type ReactNode } from "react";
import { encode } from "uqr";

/** Readers need this much of nothing around a code. */
const QUIET = 4;

export function QrCode({ text, label }: { text: string; label: string }): ReactNode {
  const { size, dark } = useMemo(() => {
    const { data } = encode(text, { ecc: "L", border: QUIET });
    const dark = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { size: data.length, dark: dark.join("") };
  }, [text]);
  return (
    <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
      <path d={dark} />
    </svg>
  );
}
