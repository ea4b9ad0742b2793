/** Two windows meet without a relay: an invitation and its answer, which people carry as texts or as QR codes. */
import { EyotError, type Invitation } from "eyot";
import { useSpace } from "eyot/react";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { copy } from "./copy.js";
import { QrCode } from "./qr.js";

interface Carried {
  label: string;
  text: string;
}

const GIVE = "Give this invitation to the other person, or let them scan it. Then paste their answer above.";
const GIVE_BACK = "Give this answer back to who invited you, or let them scan it.";

/** `links`: how many direct links there are now. */
export function Meet({ links }: { links: number }): ReactNode {
  const space = useSpace();
  const [carried, setCarried] = useState<Carried>();
  const [news, setNews] = useState("");
  const [pasted, setPasted] = useState("");
  const invitation = useRef<Invitation>(undefined);
  /** How many links there were when this window joined, until there are more. */
  const [joinedAt, setJoinedAt] = useState<number>();

  useEffect(() => {
    if (joinedAt === undefined || links <= joinedAt) return;
    setJoinedAt(undefined);
    setCarried(undefined);
    setNews("Linked.");
  }, [links, joinedAt]);

  const run = async (task: () => Promise<string>): Promise<void> => {
    setNews("");
    try {
      setNews(await task());
    } catch (error) {
      setNews(error instanceof EyotError ? `That did not work: ${error.message}.` : String(error));
    }
  };
  const invite = async (): Promise<string> => {
    invitation.current?.cancel();
    invitation.current = await space.invite();
    setCarried({ label: GIVE, text: invitation.current.text });
    return "An invitation is good for ten minutes and one person.";
  };
  const take = async (): Promise<string> => {
    const isAnswer = invitation.current !== undefined && (await accept(invitation.current, pasted));
    setPasted("");
    if (isAnswer) {
      invitation.current = undefined;
      setCarried(undefined);
      return "Linked.";
    }
    const { answer } = await space.join(pasted);
    setJoinedAt(links);
    setCarried({ label: GIVE_BACK, text: answer });
    return "The link comes once they have pasted your answer.";
  };
  return (
    <>
      <div id="meet">
        <button id="invite" data-testid="invite" type="button" onClick={() => void run(invite)}>
          Invite
        </button>
        <form
          id="take"
          onSubmit={(event) => {
            event.preventDefault();
            void run(take);
          }}
        >
          <label className="hidden" htmlFor="pasted">
            An invitation, or the answer to yours
          </label>
          <input
            id="pasted"
            data-testid="pasted"
            autoComplete="off"
            placeholder="Paste an invitation, or the answer to yours…"
            value={pasted}
            onChange={({ target }) => setPasted(target.value)}
          />
          <button type="submit">Use</button>
        </form>
      </div>
      {carried !== undefined && <Carry key={carried.text} {...carried} />}
      <p id="meet-news" data-testid="meet-news" role="status">
        {news}
      </p>
    </>
  );
}

/** A text for a person to carry to the other device. */
function Carry({ label, text }: Carried): ReactNode {
  const field = useRef<HTMLTextAreaElement>(null);
  const [isCopied, setCopied] = useState<boolean>();
  useEffect(() => field.current!.select(), []);
  return (
    <div id="carry">
      <label id="carry-label" htmlFor="carried">
        {label}
      </label>
      <div id="qr" data-testid="qr">
        <QrCode text={text} label="The same text as a QR code" />
      </div>
      <textarea ref={field} id="carried" data-testid="carried" rows={5} readOnly spellCheck={false} value={text} />
      <button id="copy" type="button" onClick={() => void copy(text).then(setCopied)}>
        {isCopied === undefined ? "Copy" : isCopied ? "Copied" : "Copy it by hand"}
      </button>
    </div>
  );
}

/** False: the text is no answer, so it may be an invitation. */
async function accept(invitation: Invitation, text: string): Promise<boolean> {
  try {
    await invitation.accept(text);
    return true;
  } catch (error) {
    if (error instanceof EyotError && error.code === "invalid") return false;
    throw error;
  }
}
