/**
 * Going out of a group. Who leaves asks an admin's program to take them out, and destroys what they could read the group with; an only
 * admin first names another, which is a change of the group like any other (committer.ts).
 */
import type { Channel } from "../../chat/channel.ts"
import { groupIn } from "../../chat/group.ts"
import type { ChatThread } from "../../chat/thread.ts"
import { toHex } from "../../crypto/bytes.ts"
import { isMember } from "../../crypto/session.ts"
import { ApiError } from "../api/errors.ts"
import { type ChatBook, Step } from "./book.ts"
import type { Committer } from "./committer.ts"
import type { Inbox } from "./inbox.ts"
import type { Outbox } from "./outbox.ts"

export class GroupLeaving {
  readonly #book: ChatBook
  readonly #outbox: Outbox
  readonly #inbox: () => Inbox

  constructor(book: ChatBook, outbox: Outbox, inbox: () => Inbox) {
    this.#book = book
    this.#outbox = outbox
    this.#inbox = inbox
  }

  /** At once where nobody has to be asked, otherwise as soon as we can be gone. Throws ApiError NOT_A_GROUP, NOT_A_MEMBER. */
  async leave(thread: ChatThread, committer: Pick<Committer, "wish" | "kick">): Promise<void> {
    const now = this.#book.threads.get(toHex(thread.id)) ?? thread
    const channel = this.#book.groupChannel(now)
    if (thread.group === null) throw new ApiError("NOT_A_GROUP", "that is a chat of two")
    if (now.standing === "left" || channel === undefined)
      throw new ApiError("NOT_A_MEMBER", "you are not in this group")
    const isIn = now.standing !== "request" && isMember(channel.state) && !channel.retired
    if (!isIn) return this.goAway(channel)
    await this.#book.turns.run(async () => {
      const step = new Step()
      committer.wish(step, this.#book.groupChannel(now) ?? channel, { kind: "leave" })
      await this.#book.commit(step, { sync: true })
    })
    committer.kick(toHex(channel.groupId))
  }

  /** Asks the others to remove us, and destroys what we could read them with. */
  async goAway(channel: Channel): Promise<void> {
    const thread = this.#book.threadOf(channel)
    const depart = (step: Step) => {
      const now = this.#book.threads.get(toHex(thread.id)) ?? thread
      this.#inbox().forget(step, toHex(channel.groupId))
      this.#outbox.forgetWaiting(step, now)
      step.threads.set(toHex(now.id), { ...now, standing: "left", owed: [] })
    }
    const open: ChatThread = { ...thread, standing: "open" }
    const alone = groupIn(channel.state)?.members.length === 1 || !isMember(channel.state)
    const asked = !alone && (await this.#outbox.sayApart(open, [{ kind: "leave" }], depart))
    if (asked) return
    await this.#book.turns.run(async () => {
      const step = new Step()
      depart(step)
      await this.#book.commit(step, { sync: true })
    })
  }
}
