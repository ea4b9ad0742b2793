/** The link to this space, to copy or to scan with a phone. */
import { useId, useState, type ReactNode } from "react";

import { copy } from "./copy.js";
import { QrCode } from "./qr.js";

export function Share({ name }: { name: string }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const [isCopied, setCopied] = useState<boolean>();
  const id = useId();
  const url = new URL(location.href);
  url.searchParams.set("space", name);
  return (
    <>
      <button type="button" aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
        Join from a phone
      </button>
      <div id={id} className="share" hidden={!isOpen}>
        {isOpen && (
          <>
            <div className="code" data-testid="share-qr">
              <QrCode text={url.href} label="The link to this space as a QR code" />
            </div>
            <p>
              Scan it, or open this link in another window: <a href={url.href}>{url.href}</a>
            </p>
            {["127.0.0.1", "localhost"].includes(url.hostname) && (
              <p>This address is of this machine alone. A phone needs one of a host that it reaches.</p>
            )}
            <button type="button" onClick={() => void copy(url.href).then(setCopied)}>
              {isCopied === undefined ? "Copy link" : isCopied ? "Copied" : "Copy it by hand"}
            </button>
          </>
        )}
      </div>
    </>
  );
}
