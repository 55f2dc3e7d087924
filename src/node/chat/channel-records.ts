/**
 * Where channels are kept: two records each (chat/channel-moving.ts). What stands is written when it is another than what was written
 * last, and then always together with what moves, in one batch.
 */
import type { Channel } from "../../chat/channel.ts"
import {
  decodeStanding,
  encodeMoving,
  encodeStanding,
  groupOfMoving,
  isSameMark,
  joined,
  markOf,
  type StandingMark,
} from "../../chat/channel-moving.ts"
import { type Bytes, toHex } from "../../crypto/bytes.ts"
import { CodedError } from "../../crypto/errors.ts"
import type { Sealed, SealedOp } from "../store/sealed.ts"
import { Slices } from "../slices.ts"

const STANDING = "channels"
const MOVING = "channels moving"

/** A change of one channel's records; `written` is to be called when it is in the store. */
export interface ChannelWrite {
  readonly ops: readonly SealedOp[]
  readonly written: () => void
}

interface Stored {
  readonly mark: StandingMark
  readonly link: Bytes
}

export class ChannelRecords {
  readonly #sealed: Sealed
  /** What stands in the store, by hexadecimal group id: as many as there are channels. */
  readonly #stored = new Map<string, Stored>()

  constructor(sealed: Sealed) {
    this.#sealed = sealed
  }

  /**
   * Every channel, in slices: there may be thousands. One whose keys do not open, or are of another day, is left out like any record that
   * does not open.
   */
  async all(): Promise<Channel[]> {
    const slices = new Slices()
    const moving = new Map<string, Bytes>()
    for await (const { plaintext } of this.#sealed.each(MOVING)) {
      moving.set(groupOfMoving(plaintext), plaintext)
      await slices.pause()
    }
    const channels: Channel[] = []
    for await (const { plaintext } of this.#sealed.each(STANDING)) {
      const channel = this.#joined(plaintext, moving)
      if (channel !== undefined) channels.push(channel)
      await slices.pause()
    }
    return channels
  }

  #joined(bytes: Bytes, moving: ReadonlyMap<string, Bytes>): Channel | undefined {
    const standing = decodeStanding(bytes)
    if (standing.link === null) return standing.channel
    const group = toHex(standing.channel.groupId)
    try {
      const channel = joined(standing, moving.get(group) ?? new Uint8Array(0))
      this.#stored.set(group, { mark: markOf(channel), link: standing.link })
      return channel
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      return undefined
    }
  }

  put(channel: Channel): ChannelWrite {
    const group = toHex(channel.groupId)
    const mark = markOf(channel)
    const stored = this.#stored.get(group)
    if (stored !== undefined && isSameMark(stored.mark, mark))
      return { ops: [this.#moving(group, channel, stored.link)], written: () => undefined }
    const { bytes, link } = encodeStanding(channel)
    const standing = this.#sealed.put(this.#sealed.key(STANDING, group), bytes)
    return {
      ops: [standing, this.#moving(group, channel, link)],
      written: () => void this.#stored.set(group, { mark, link }),
    }
  }

  #moving(group: string, channel: Channel, link: Bytes): SealedOp {
    return this.#sealed.put(this.#sealed.key(MOVING, group), encodeMoving(channel, link))
  }

  del(group: string): ChannelWrite {
    const ops = [STANDING, MOVING].map((name) => this.#sealed.del(this.#sealed.key(name, group)))
    return { ops, written: () => void this.#stored.delete(group) }
  }
}
