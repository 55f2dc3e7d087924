/**
 * The one door to gossipsub. It is configured so that a frame says nothing about its author (no signing, no flooding of own messages,
 * frames with author fields dropped unseen), and the few of its insides that reliable delivery depends on, link state and backlog,
 * are read here and nowhere else. Gossip is best effort: what it loses, sync brings.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictNoSign,
  type SubscriptionChangeData,
  TopicValidatorResult,
} from "@chainsafe/libp2p-gossipsub"
import type { Connection, PeerId } from "@libp2p/interface"
import { primitives } from "#primitives"
import { type Bytes, utf8 } from "../../crypto/bytes.ts"
import { assert } from "../../crypto/errors.ts"
import type { Verdict } from "../../crypto/verdict.ts"
import { plain } from "../plain-bytes.ts"

export interface TopicRule {
  readonly topic: string
  /** Longer messages are dropped before they are looked at. */
  readonly messageBytesMax: number
  /** Judges a message before it is forwarded. Must not take longer than a tenth of a second. */
  readonly judge: (data: Bytes, peer: string) => Promise<Verdict>
}

export interface GossipOptions {
  /** 0 where many peers share an address (tests, a testnet on one machine); otherwise a negative weight. */
  readonly ipColocationWeight?: number
  /** Of such a peer nothing more is looked at, though it may be connected still. */
  readonly isHopeless?: (peer: string) => boolean
}

/** Published messages waiting for the slowest peer may grow to this; then publishing waits. */
export const BACKLOG_BYTES_MAX = 1024 * 1024
/** A peer that takes nothing until this much is queued for it loses its gossip link; sync brings what it missed. */
const LINK_BUFFER_BYTES_MAX = 64 * 1024 * 1024
/** gossipsub cuts the link on a longer frame and its peers fill answers up to this: never lower it. */
const FRAME_BYTES_MAX = 4 * 1024 * 1024
/** Messages of one frame that are looked at in one go: a millisecond or two, since whoever else says something waits behind them. */
const RUN = 16
const MESSAGE_ID_BYTES = 20
/** Of a peer with a lower score nothing is read any more. */
export const GREYLISTED_BELOW = -80
const IP_COLOCATION_WEIGHT = -5

/** What of a message frame matters here; the author fields must be absent. */
interface RpcMessage {
  readonly topic: string
  readonly data?: Uint8Array
  readonly from?: unknown
  readonly seqno?: unknown
  readonly signature?: unknown
  readonly key?: unknown
}

interface Link {
  readonly rawStream: {
    readonly status: string
    readonly writeStatus: string
    /** Whether the other side may still send. */
    readonly remoteWriteStatus: string
    readonly writeBufferLength: number
    abort(error: Error): void
  }
}

/** gossipsub's insides, as of 17.1. Checked when the service is made. */
interface Insides {
  handleReceivedRpc(
    from: PeerId,
    rpc: { subscriptions?: unknown; messages: RpcMessage[] },
  ): Promise<void>
  readonly peers: ReadonlyMap<string, PeerId>
  readonly streamsInbound: ReadonlyMap<string, Link>
  readonly streamsOutbound: ReadonlyMap<string, Link>
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>
  readonly score: { score(peer: string): number }
}

export class Gossip {
  readonly #service: GossipSub
  readonly #insides: Insides
  readonly #components: GossipSubComponents
  #dropped = 0

  constructor(
    components: GossipSubComponents,
    rules: readonly TopicRule[],
    options: GossipOptions,
  ) {
    this.#components = components
    this.#service = gossipsub(settings(rules, options))(components)
    this.#insides = insidesOf(this.#service)
    this.#refuseAuthors(
      new Map(rules.map((rule) => [rule.topic, rule.messageBytesMax])),
      options.isHopeless ?? (() => false),
    )
    for (const { topic, judge } of rules)
      this.#service.topicValidators.set(
        topic,
        async (peer, { data }) => RESULTS[(await judge(plain(data), peer.toString())).verdict],
      )
  }

  /** For libp2p, which starts and stops it. */
  get service(): GossipSub {
    return this.#service
  }

  subscribe(topic: string): void {
    this.#service.subscribe(topic)
  }

  /** Number of peers it was handed to. A message published before is not sent again. */
  async publish(topic: string, data: Bytes): Promise<number> {
    return (await this.#service.publish(topic, data)).recipients.length
  }

  /** Whether gossip with this peer works in both directions, as far as can be told from here. */
  linkUp(peer: string): boolean {
    const { peers, streamsInbound, streamsOutbound } = this.#insides
    const from = streamsInbound.get(peer)?.rawStream
    const to = streamsOutbound.get(peer)?.rawStream
    return (
      peers.has(peer) &&
      from?.status === "open" &&
      from.remoteWriteStatus === "writable" &&
      to?.status === "open" &&
      to.writeStatus === "writable"
    )
  }

  /**
   * Opens our half of a link anew over this connection, if it has died with another one; the peer does the same for its half. gossipsub
   * opens streams only when a connection is new.
   */
  mend(connection: Connection): void {
    const half = this.#insides.streamsOutbound.get(connection.remotePeer.toString())?.rawStream
    if (half !== undefined && half.writeStatus !== "writable") half.abort(new Error("half closed"))
    const protocol = this.#service.protocols[0] ?? ""
    for (const topology of this.#components.registrar.getTopologies(protocol))
      // Only asks for a stream; that it fails shows at the next look.
      void topology.onConnect?.(connection.remotePeer, connection)
  }

  /** Bytes queued for the peer that is furthest behind. */
  get backlogBytes(): number {
    let most = 0
    for (const { rawStream } of this.#insides.streamsOutbound.values())
      most = Math.max(most, rawStream.writeBufferLength)
    return most
  }

  /** Tells of every peer that subscribes to the topic: from then on it is told, and tells us, what is new. Returns how to end it. */
  onSubscribed(topic: string, listener: (peer: string) => void): () => void {
    const handler = ({ detail }: CustomEvent<SubscriptionChangeData>) => {
      if (detail.subscriptions.some((change) => change.topic === topic && change.subscribe))
        listener(detail.peerId.toString())
    }
    this.#service.addEventListener("subscription-change", handler)
    return () => this.#service.removeEventListener("subscription-change", handler)
  }

  /** Peers that subscribe to the topic. */
  subscribers(topic: string): readonly string[] {
    return this.#service.getSubscribers(topic).map((peer) => peer.toString())
  }

  /** Peers that full messages go to. */
  meshPeers(topic: string): readonly string[] {
    return [...(this.#insides.mesh.get(topic) ?? [])]
  }

  /** What gossip thinks of a peer: 0 for one that never did anything wrong, less for each message that was rejected. */
  scoreOf(peer: string): number {
    return this.#insides.score.score(peer)
  }

  /** Messages dropped so far because they named an author, were too long or of no topic of ours. */
  get dropped(): number {
    return this.#dropped
  }

  /** gossipsub itself takes a message with a forged `from` and would pass it on under our name. */
  #refuseAuthors(limits: ReadonlyMap<string, number>, isHopeless: (peer: string) => boolean): void {
    const insides = this.#insides
    const handle = insides.handleReceivedRpc.bind(insides)
    insides.handleReceivedRpc = async (from, rpc) => {
      const peer = from.toString()
      if (isHopeless(peer)) {
        this.#dropped += rpc.messages.length
        return
      }
      const wanted = rpc.messages.filter((message) => anonymous(message) && fits(message, limits))
      this.#dropped += rpc.messages.length - wanted.length
      await handle(from, { ...rpc, messages: wanted.splice(0, RUN) })
      // a frame can hold a thousand; everything else gets its turn in between
      while (wanted.length > 0) {
        await nextTurn()
        if (isHopeless(peer)) {
          this.#dropped += wanted.length
          return
        }
        await handle(from, { subscriptions: [], messages: wanted.splice(0, RUN) })
      }
    }
  }
}

const RESULTS = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
} as const

const anonymous = ({ from, seqno, signature, key }: RpcMessage) =>
  [from, seqno, signature, key].every((field) => field === undefined || field === null)

const fits = ({ topic, data }: RpcMessage, limits: ReadonlyMap<string, number>) =>
  data !== undefined && data.length <= (limits.get(topic) ?? -1)

function insidesOf(service: unknown): Insides {
  const insides = service as Partial<Insides>
  assert(
    typeof insides.handleReceivedRpc === "function" &&
      [insides.peers, insides.streamsInbound, insides.streamsOutbound, insides.mesh].every(
        (map) => map instanceof Map,
      ),
    "this gossipsub has the insides of the version that was pinned",
  )
  return insides as Insides
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

function settings(rules: readonly TopicRule[], options: GossipOptions) {
  const topics = rules.map(({ topic }) => topic)
  return {
    globalSignaturePolicy: StrictNoSign,
    // over all bytes: a copy with a spoilt admission field is another message and keeps nobody from the good one
    msgIdFn: ({ topic, data }: { topic: string; data: Uint8Array }) =>
      primitives.sha256(utf8(topic), data).subarray(0, MESSAGE_ID_BYTES),
    msgIdToStrFn: latin1,
    // few links: every hop costs a verification, and below some fifty peers three reach everybody
    D: 4,
    Dlo: 3,
    Dhi: 6,
    Dout: 1,
    Dscore: 2,
    // an announcement for every 4 KiB costs more than the duplicates it saves
    idontwantMinDataSize: 32_768,
    batchPublish: true,
    // a relay's limit is on bytes and time, not on what they are
    runOnLimitedConnection: true,
    floodPublish: false,
    doPX: false,
    fallbackToFloodsub: false,
    emitSelf: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    allowedTopics: topics,
    maxInboundDataLength: FRAME_BYTES_MAX,
    maxOutboundBufferSize: LINK_BUFFER_BYTES_MAX,
    scoreParams: {
      IPColocationFactorWeight: options.ipColocationWeight ?? IP_COLOCATION_WEIGHT,
      topics: Object.fromEntries(topics.map((topic) => [topic, TOPIC_SCORE])),
    },
    scoreThresholds: {
      gossipThreshold: -20,
      publishThreshold: -40,
      graylistThreshold: GREYLISTED_BELOW,
    },
  } as const
}

/** Silence is no fault on a quiet topic; four rejected messages put a peer on the grey list. */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 10,
  firstMessageDeliveriesWeight: 0.1,
  firstMessageDeliveriesDecay: 0.9,
  firstMessageDeliveriesCap: 50,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 100,
  meshMessageDeliveriesThreshold: 20,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.9,
} as const
