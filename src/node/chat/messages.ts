/**
 * What people do with messages: say something, answer, react, say it otherwise, delete it, let what is said disappear. Each becomes a
 * content that waits in line; what it does shows here at once. The rules are the same ones by which others take it (chat/fold.ts).
 */
import { primitives } from "#primitives"
import { type Act, editRoom } from "../../chat/act.ts"
import type { Setting } from "../../chat/content.ts"
import type { FileNote } from "../../chat/file.ts"
import { EDIT_AGE_MAX_MS } from "../../chat/fold.ts"
import { groupIn } from "../../chat/group.ts"
import type { Lifetime } from "../../chat/lifetime.ts"
import { findMentions, type Mentionable } from "../../chat/mention.ts"
import type { ChatMessage } from "../../chat/message.ts"
import { isEmoji, SIGNS_MAX } from "../../chat/reaction.ts"
import { MESSAGE_ID_BYTES, type Text, textRoom } from "../../chat/said.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { type Bytes, equal, toHex, utf8 } from "../../crypto/bytes.ts"
import { ApiError } from "../api/errors.ts"
import type { Message } from "../api/types.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Expiry } from "./expiry.ts"
import type { Outbox } from "./outbox.ts"
import type { ChatParts } from "./parts.ts"
import type { Found, Transcript } from "./transcript.ts"

export interface MessagesParts {
  readonly parts: ChatParts
  readonly book: ChatBook
  readonly outbox: Outbox
  readonly transcript: Transcript
  readonly expiry: Expiry
  /** Makes sure that we may write there, accepting whoever asked if that is what writing means. Throws ApiError. */
  readonly welcomes: (thread: ChatThread) => Promise<void>
}

/** What a text brings besides its words. */
export interface Brings {
  readonly file?: FileNote
  /** 16 bytes. */
  readonly replyTo?: Bytes
}

export const newMessageId = (): Bytes => primitives.randomBytes(MESSAGE_ID_BYTES)

/** 16 bytes from 32 hexadecimal digits. Throws ApiError BAD_PARAMS. */
export function messageIdOf(text: string): Bytes {
  const id = new Uint8Array(Buffer.from(text, "hex"))
  if (id.length !== MESSAGE_ID_BYTES)
    throw new ApiError("BAD_PARAMS", "a message id is 32 hexadecimal digits")
  return id
}

export class Messages {
  readonly #parts: MessagesParts

  constructor(parts: MessagesParts) {
    this.#parts = parts
  }

  /** Durable when it resolves. A text of that id that is there already is returned as it stands. */
  async say(target: ChatThread, id: Bytes, text: string, brings: Brings = {}): Promise<Message> {
    const { book, outbox, welcomes } = this.#parts
    if (text.trim() === "" && brings.file === undefined)
      throw new ApiError("MESSAGE_EMPTY", "there is nothing to send")
    if (brings.replyTo !== undefined) await this.#mustBeIn(target, brings.replyTo)
    const mentions = findMentions(text, this.#mentionables(target))
    const more = { ...brings, ...(mentions.length > 0 && { mentions }) }
    const draft = { kind: "text", id, sentAtMs: 0, lamport: 0, text, ...more } as const
    const set = target.lifetime?.lifetime ?? null
    mustFit(text, textRoom(set === null ? draft : { ...draft, lifetime: set }))
    await welcomes(target)
    const { thread, message } = await outbox.send(target, id, (head): Text => {
      return { kind: "text", ...head, text, ...more, ...(set !== null && { lifetime: set }) }
    })
    return book.messageView(thread, message)
  }

  /** Throws UNKNOWN_MESSAGE: nothing to answer there. */
  async #mustBeIn(thread: ChatThread, id: Bytes): Promise<void> {
    const found = await this.#parts.book.records.findMessage(id)
    if (found === undefined || !equal(found.thread, thread.id)) throw unknown()
  }

  /** Everybody in a thread, by our name for them and by their own. */
  #mentionables(thread: ChatThread): Mentionable[] {
    const { book } = this.#parts
    const channel = book.groupChannel(thread)
    const members = channel === undefined ? [] : (groupIn(channel.state)?.members ?? [])
    const people = thread.peer === null ? members.map(({ address }) => address) : [thread.peer]
    return people
      .filter((who) => who !== book.me)
      .flatMap((who) => {
        const contact = book.contacts.get(who)
        const theirs = [contact?.theirName, channel?.group?.people.get(who)?.name]
        return [contact?.name, ...theirs].flatMap((name) =>
          name === undefined || name === null ? [] : [{ name, who }],
        )
      })
  }

  /** All that we say to a message with signs. Throws BAD_REACTION, UNKNOWN_MESSAGE, NO_WORDS. */
  async react(id: Bytes, signs: readonly string[]): Promise<Message> {
    if (signs.length > SIGNS_MAX || !signs.every(isEmoji) || new Set(signs).size < signs.length)
      throw new ApiError("BAD_REACTION", `a reaction is at most ${SIGNS_MAX} different emoji`)
    const { thread, message } = await this.#withWords(id)
    await this.#parts.welcomes(thread)
    await this.#parts.outbox.act(
      thread,
      id,
      newMessageId(),
      ({ id: own, lamport }) => ({
        kind: "reaction",
        id: own,
        lamport,
        target: message.id,
        signs,
      }),
      (step, act) => this.#applied(step, thread, act),
    )
    return this.show(id)
  }

  /** Throws NOT_YOURS, TOO_OLD, MESSAGE_EMPTY, MESSAGE_TOO_LONG, UNKNOWN_MESSAGE, NO_WORDS. */
  async edit(id: Bytes, text: string): Promise<Message> {
    const { thread, message } = await this.#withWords(id)
    if (!message.mine) throw notYours()
    if (text.trim() === "" && message.file === undefined)
      throw new ApiError("MESSAGE_EMPTY", "there is nothing left to say; delete it instead")
    if (this.#parts.parts.clock.nowMs() > message.sentAtMs + EDIT_AGE_MAX_MS)
      throw new ApiError("TOO_OLD", "a message can be edited for a day")
    const mentions = findMentions(text, this.#mentionables(thread))
    mustFit(text, editRoom(mentions))
    await this.#parts.welcomes(thread)
    await this.#parts.outbox.act(
      thread,
      id,
      newMessageId(),
      (head) => ({ kind: "edit", ...head, target: message.id, text, mentions }),
      (step, act) => this.#applied(step, thread, act),
    )
    return this.show(id)
  }

  /**
   * Takes a message away here; `forAll` asks the others to do so as well. Resolves with whether it never left. Throws NOT_YOURS,
   * UNKNOWN_MESSAGE, NO_WORDS.
   */
  async delete(id: Bytes, forAll: boolean): Promise<boolean> {
    const { outbox, expiry } = this.#parts
    const { thread, message } = forAll ? await this.#withWords(id) : await this.#found(id)
    if (forAll && !message.mine) throw notYours()
    // What is not on the disk yet would be written after it was taken away.
    await outbox.durable(id)
    const recalled = await this.#takeAway(id, forAll)
    expiry.eraseSoon(thread.id)
    if (!forAll || recalled) return recalled
    await this.#parts.welcomes(thread)
    await outbox.act(
      thread,
      id,
      newMessageId(),
      ({ id: own, lamport }) => ({ kind: "deletion", id: own, lamport, target: message.id }),
      (step, act) => this.#applied(step, thread, act),
    )
    return false
  }

  /** Here alone; what was to be deleted for all only if it has not left. */
  #takeAway(id: Bytes, forAll: boolean): Promise<boolean> {
    const { book, outbox, transcript } = this.#parts
    return book.turns.run(async () => {
      const step = new Step()
      const found = await transcript.find(step, id)
      if (found === undefined) throw unknown()
      const done = forAll ? outbox.withdraw(step, found.thread, id) : undefined
      if (forAll && done === undefined) return false
      await transcript.remove(step, found)
      await book.commit(step, { sync: true })
      done?.()
      return forAll
    })
  }

  /** Everybody sees it, and what is said from then on disappears so long after it was seen or ordered. Throws NO_LEDGER. */
  async setLifetime(target: ChatThread, lifetime: Lifetime | null): Promise<Message> {
    const { parts, book, outbox, welcomes } = this.#parts
    if (lifetime?.unit === "blocks" && parts.order !== "ledger")
      throw new ApiError("NO_LEDGER", "no blocks are made in this mesh; give a time")
    await welcomes(target)
    const setting = (head: Omit<Setting, "kind" | "lifetime">): Setting => ({
      kind: "lifetime",
      ...head,
      lifetime,
    })
    const { thread, message } = await outbox.send(target, newMessageId(), setting)
    return book.messageView(thread, message)
  }

  async show(id: Bytes): Promise<Message> {
    const { thread, message } = await this.#found(id)
    return this.#parts.book.messageView(thread, message)
  }

  /** Offers again what nobody took. */
  async retry(id: Bytes): Promise<Message> {
    const { book, outbox } = this.#parts
    const { thread, message } = await this.#found(id)
    outbox.posting.offerAgain()
    outbox.kick(thread)
    return book.messageView(thread, message)
  }

  #applied(step: Step, thread: ChatThread, act: Act): Promise<void> {
    const { transcript, book } = this.#parts
    return transcript.act(step, transcript.threadIn(step, thread), act, book.me)
  }

  #found(id: Bytes): Promise<Found & { readonly message: ChatMessage }> {
    return this.#parts.transcript.find(new Step(), id).then((found) => {
      if (found === undefined) throw unknown()
      return found
    })
  }

  async #withWords(id: Bytes): Promise<Found> {
    const found = await this.#found(id)
    const { deleted, sets, notice } = found.message
    if (deleted || sets !== null || notice !== null)
      throw new ApiError("NO_WORDS", `there are no words in ${toHex(id).slice(0, 8)}`)
    return found
  }
}

const unknown = () => new ApiError("UNKNOWN_MESSAGE", "there is no such message")
const notYours = () => new ApiError("NOT_YOURS", "only its author can do that to a message")

function mustFit(text: string, room: number): void {
  const { length } = utf8(text)
  if (length > room)
    throw new ApiError("MESSAGE_TOO_LONG", `a message holds ${room} bytes, this is ${length}`)
}
