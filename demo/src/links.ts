/** Direct links to other windows and devices: which there are, and how two meet by texts that people carry. */
import { EyotError, type Invitation, type LinkInfo, type Space } from "eyot";

import { copy } from "./copy.js";
import { qrCode } from "./qr.js";

const LOOK_EVERY_MS = 2_000;

export function showLinks(space: Space): void {
  const links = document.querySelector<HTMLElement>("#links")!;
  const badges = document.querySelector<HTMLUListElement>("#badges")!;
  const invite = document.querySelector<HTMLButtonElement>("#invite")!;
  const take = document.querySelector<HTMLFormElement>("#take")!;
  const pasted = document.querySelector<HTMLInputElement>("#pasted")!;
  const carry = document.querySelector<HTMLElement>("#carry")!;
  const carried = document.querySelector<HTMLTextAreaElement>("#carried")!;
  const code = document.querySelector<HTMLElement>("#qr")!;
  const label = document.querySelector<HTMLElement>("#carry-label")!;
  const copyButton = document.querySelector<HTMLButtonElement>("#copy")!;
  const news = document.querySelector<HTMLElement>("#meet-news")!;
  let invitation: Invitation | undefined;
  /** How many links there were when this window joined, until there are more. */
  let joinedAt: number | undefined;

  const show = (): void => {
    if (space.status.state === "closed") return;
    const all = space.links();
    const direct = all.filter(({ to }) => to === "replica");
    const text = summary(direct.length);
    if (links.textContent !== text) links.textContent = text;
    showBadges(badges, all);
    links.dataset["tone"] = direct.length === 0 ? "away" : "good";
    if (joinedAt !== undefined && direct.length > joinedAt) {
      joinedAt = undefined;
      carry.hidden = true;
      news.textContent = "Linked.";
    }
  };

  /** Shows a text for a person to carry to the other device. */
  const give = (what: string, text: string): void => {
    carry.hidden = false;
    label.textContent = what;
    carried.value = text;
    code.replaceChildren(qrCode(text));
    copyButton.textContent = "Copy";
    carried.select();
  };

  const run = async (task: () => Promise<string>): Promise<void> => {
    news.textContent = "";
    try {
      news.textContent = await task();
    } catch (error) {
      news.textContent = error instanceof EyotError ? `That did not work: ${error.message}.` : String(error);
    }
    show();
  };

  invite.addEventListener("click", () => {
    void run(async () => {
      invitation?.cancel();
      invitation = await space.invite();
      give(
        "Give this invitation to the other person, or let them scan it. Then paste their answer above.",
        invitation.text,
      );
      return "An invitation is good for ten minutes and one person.";
    });
  });

  take.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = pasted.value;
    void run(async () => {
      const isAnswer = invitation !== undefined && (await accept(invitation, text));
      pasted.value = "";
      if (isAnswer) {
        invitation = undefined;
        carry.hidden = true;
        return "Linked.";
      }
      const { answer } = await space.join(text);
      joinedAt = space.links().filter(({ to }) => to === "replica").length;
      give("Give this answer back to who invited you, or let them scan it.", answer);
      return "The link comes once they have pasted your answer.";
    });
  });

  copyButton.addEventListener("click", () => {
    void copy(carried.value).then((isCopied) => (copyButton.textContent = isCopied ? "Copied" : "Copy it by hand"));
  });

  document.querySelector<HTMLElement>("#direct")!.hidden = false;
  space.subscribe(show);
  // How fast and how much a link is, is told to who asks.
  setInterval(() => {
    if (document.visibilityState === "visible") show();
  }, LOOK_EVERY_MS);
  show();
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

function summary(count: number): string {
  if (count === 0) return "None yet. Open this page in another browser, or invite somebody.";
  return count === 1 ? "Linked directly to one other." : `Linked directly to ${count} others.`;
}

/** One badge for each link: with whom, how far, and how much has gone over it. */
function showBadges(list: HTMLUListElement, links: readonly LinkInfo[]): void {
  while (list.children.length > links.length) list.lastElementChild!.remove();
  links.forEach(({ to, via, region, rttMs, bytesIn, bytesOut, right }, at) => {
    const item = list.children[at] ?? list.appendChild(document.createElement("li"));
    const whom = to === "relay" ? `Relay ${region ?? ""}${via === "tab" ? ", by another tab" : ""}` : "Direct";
    const far = rttMs > 0 ? ` ${Math.round(rttMs)} ms` : "";
    const reads = right === "read" ? ", one way" : "";
    const much = via === "tab" ? "" : `, ${size(bytesIn)} in, ${size(bytesOut)} out`;
    const text = `${whom}${far}${much}${reads}`;
    if (item.textContent !== text) item.textContent = text;
    (item as HTMLElement).dataset["to"] = to;
  });
}

function size(bytes: number): string {
  return bytes < 1_000 ? `${bytes} B` : `${Math.round(bytes / 1_000)} kB`;
}
