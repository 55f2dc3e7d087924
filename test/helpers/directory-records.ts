/** Records of people who are not there, with the blobs that they name, and how a peer brings them to others. */
import type { KadDHT } from "@libp2p/kad-dht"
import type { Libp2p } from "@libp2p/interface"
import { primitives } from "#primitives"
import { blindedKey } from "../../src/crypto/blinding.ts"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { sealCardBlob, type SealedCardBlob } from "../../src/crypto/card-blob.ts"
import { directoryKey, makeRecord } from "../../src/crypto/directory-record.ts"
import { CardBlobPeers } from "../../src/node/directory/card-blob-peers.ts"
import type { DayRecord } from "../../src/node/directory/put.ts"
import { cardOf, meshId, type Person, put, streamsOf } from "./directory-mesh.ts"

/** A record as its owner would bring it to keepers on a day. */
export interface CardRecord extends DayRecord {
  readonly blob: SealedCardBlob
}

export interface CardRecordOptions {
  readonly epoch: number
  /** What the record claims; the card says the same unless given. */
  readonly sequence: number
  readonly card?: Bytes
  readonly composite?: Bytes | null
  /** What the record says of the card. */
  readonly cardHash?: Bytes
}

export function cardRecord(who: Person, options: CardRecordOptions): CardRecord {
  const { epoch, sequence, card = cardOf(who, sequence), composite = null } = options
  const { cardHash = primitives.sha3_256(card) } = options
  const { raw: address, seed } = who
  const blinded = blindedKey(address, epoch)
  const blob = sealCardBlob({ address, epoch }, { card, composite })
  const said = { cardHash, blobId: blob.id, digest: blob.digest }
  const bytes = makeRecord({ address, seed, epoch, sequence, ...said })
  return { epoch, blinded, key: directoryKey(blinded), bytes, blob }
}

/** How many of the peers that `from` is connected to take record and blob. */
export async function putCard(
  from: Libp2p<{ dht: KadDHT }>,
  { key, bytes, blinded, blob }: CardRecord,
): Promise<number> {
  await put(from, key, bytes)
  const peers = new CardBlobPeers(streamsOf(from), meshId)
  const signal = AbortSignal.timeout(20_000)
  const name = { blinded, id: blob.id }
  const taken = await Promise.all(
    from.getPeers().map((peer) => peers.put(peer.toString(), name, blob.bytes, signal)),
  )
  return taken.filter(Boolean).length
}
