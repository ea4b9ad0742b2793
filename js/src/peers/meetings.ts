/**
 * Meetings of two replicas by an invitation that a person carries, with no server between them. The connection is one of
 * WebRTC; it becomes a link once both sides have proved that they hold the invitation.
 */
import { bindMethods } from "../base/bind.js";
import { coded, EyotError } from "../base/error.js";
import { Limit } from "../base/wait.js";
import type { Channel } from "./channel.js";
import { answer, invite, proofOf, readAnswer, readInvitation, type Answered, type Invited } from "./invitation.js";
import { prove } from "./proof.js";
import { RtcConnection, type Rtc } from "./rtc.js";
import type { IceServer, Invitation } from "./types.js";

/** What this file needs of the links of a space. */
export interface MeetingContext {
  readonly space: string;
  readonly iceServers: readonly IceServer[];
  /** The WebRTC of this platform. Rejects with `unavailable` where there is none. */
  rtc(): Promise<Rtc>;
  link(channel: Channel, isReader: boolean): void;
}

/** How long an invitation is good for. */
const INVITATION_MS = 10 * 60_000;
/** How long a connection may take, once both sides know of each other. */
const CONNECT_MS = 30_000;

export class Meetings {
  readonly #context: MeetingContext;
  /** Those under way. */
  readonly #open = new Set<{ cancel(): void }>();
  /** The space is closed. */
  #isOver = false;

  constructor(context: MeetingContext) {
    this.#context = context;
  }

  async invite(right: "read" | "write", signal: AbortSignal | undefined): Promise<Invitation> {
    const { connection, description } = await this.#prepare(signal, (connection) => connection.offer());
    const expiresAt = Date.now() + INVITATION_MS;
    const { text, invited } = invite(this.#context.space, right, expiresAt, description);
    const link = (channel: Channel) => this.#context.link(channel, right === "read");
    const invitation = new OpenInvitation(text, invited, connection, link, () => this.#open.delete(invitation));
    this.#open.add(invitation);
    return invitation;
  }

  async join(text: string, signal: AbortSignal | undefined): Promise<{ answer: string }> {
    const invited = readInvitation(text, this.#context.space);
    if (invited.expiresAt <= Date.now()) throw expired();
    const made = await this.#prepare(signal, (connection) => connection.answer(invited.description));
    const { setup, description } = made.description;
    const { text: answerText, answered } = answer(invited, setup, description);
    void this.#await(made.connection, invited, answered);
    return { answer: answerText };
  }

  end(): void {
    this.#isOver = true;
    for (const meeting of this.#open) meeting.cancel();
  }

  /** Makes a connection and describes it. */
  async #prepare<D>(
    signal: AbortSignal | undefined,
    describe: (connection: RtcConnection) => Promise<D>,
  ): Promise<{ connection: RtcConnection; description: D }> {
    const limit = new Limit({ signal });
    let connection: RtcConnection | undefined;
    try {
      connection = new RtcConnection(await limit.race(this.#context.rtc()), this.#context.iceServers);
      const description = await limit.race(describe(connection));
      if (this.#isOver) throw new EyotError("closed", `the space ${this.#context.space} is closed`);
      return { connection, description };
    } catch (error) {
      connection?.close();
      throw coded(error) ?? new EyotError("unavailable", "WebRTC can't be used here", { cause: error });
    } finally {
      limit.end();
    }
  }

  /** Waits until who invited has got the answer. */
  async #await(connection: RtcConnection, invited: Invited, answered: Answered): Promise<void> {
    const meeting = { cancel: () => connection.close() };
    this.#open.add(meeting);
    const limit = new Limit({ timeout: Math.max(0, invited.expiresAt - Date.now()) + CONNECT_MS });
    try {
      const channel = await limit.race(connection.opened);
      const proofs = [proofOf("joiner", invited, answered), proofOf("inviter", invited, answered)] as const;
      await limit.race(prove(channel, ...proofs));
      this.#context.link(channel, false);
    } catch {
      // Whoever joined has no more to wait for than a link that does not come.
      connection.close();
    } finally {
      limit.end();
      this.#open.delete(meeting);
    }
  }
}

class OpenInvitation implements Invitation {
  readonly text: string;
  readonly #invited: Invited;
  readonly #connection: RtcConnection;
  readonly #link: (channel: Channel) => void;
  readonly #over: () => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  #state: "open" | "connecting" | "used" | "cancelled" | "expired" = "open";

  constructor(
    text: string,
    invited: Invited,
    connection: RtcConnection,
    link: (channel: Channel) => void,
    over: () => void,
  ) {
    this.text = text;
    this.#invited = invited;
    this.#connection = connection;
    this.#link = link;
    this.#over = over;
    this.#timer = setTimeout(() => this.#end("expired"), invited.expiresAt - Date.now());
    bindMethods(this);
  }

  async accept(text: string): Promise<void> {
    this.#check();
    const invited = this.#invited;
    const answered = readAnswer(text, invited);
    this.#state = "connecting";
    clearTimeout(this.#timer);
    const limit = new Limit({ timeout: CONNECT_MS });
    try {
      await limit.race(this.#connection.accept(answered.description, answered.setup));
      const channel = await limit.race(this.#connection.opened);
      const proofs = [proofOf("inviter", invited, answered), proofOf("joiner", invited, answered)] as const;
      await limit.race(prove(channel, ...proofs));
      this.#state = "used";
      this.#link(channel);
    } catch (error) {
      if (this.#isCancelled()) throw new EyotError("aborted", "the invitation was cancelled", { cause: error });
      this.#state = "used";
      this.#connection.close();
      throw failed(error);
    } finally {
      limit.end();
      this.#over();
    }
  }

  cancel(): void {
    if (this.#state === "open" || this.#state === "connecting") this.#end("cancelled");
  }

  #check(): void {
    if (this.#state === "expired") throw expired();
    if (this.#state === "cancelled") throw new EyotError("closed", "this invitation was cancelled");
    if (this.#state !== "open") throw new EyotError("denied", "this invitation was used: it is good for one answer");
  }

  #isCancelled(): boolean {
    return this.#state === "cancelled";
  }

  #end(state: "cancelled" | "expired"): void {
    this.#state = state;
    clearTimeout(this.#timer);
    this.#connection.close();
    this.#over();
  }
}

function expired(): EyotError {
  return new EyotError("expired", `this invitation is older than ${INVITATION_MS / 60_000} minutes`);
}

function failed(error: unknown): EyotError {
  const known = coded(error);
  if (known !== undefined && known.code !== "timeout") return known;
  const why = "the two devices can't reach each other: they have to be in one network, and the other one still waiting";
  return new EyotError("unavailable", why, { cause: error });
}
