/** A peer whose answers to sync are written by the test: honest, late, false or endless. */
import type { TestContext } from "node:test"
import type { Bytes } from "../../src/crypto/bytes.ts"
import { mailboxTopic } from "../../src/node/mailbox/mailbox.ts"
import { newPeerKey } from "../../src/node/transport/peer-key.ts"
import { Streams } from "../../src/node/transport/streams.ts"
import {
  decodeRequest,
  encodeNothing,
  encodePeers,
  type SyncRequest,
} from "../../src/node/mailbox/sync-messages.ts"
import { SYNC_PROTOCOL } from "../../src/node/mailbox/sync-round.ts"
import { startTransport } from "../../src/node/transport/transport.ts"
import { ACCEPT } from "../../src/crypto/verdict.ts"
import type { TestMesh } from "./envelopes.ts"

export type Answer = (request: SyncRequest, signal: AbortSignal) => Bytes | Promise<Bytes>

/** Requests for peers and news are answered with nothing, unless `answer` wants `all`. */
export async function fakeSyncPeer(
  t: TestContext,
  mesh: TestMesh,
  answer: Answer,
  options: { all?: boolean; listen?: readonly string[] } = {},
) {
  const rule = {
    topic: mailboxTopic(mesh.meshId),
    messageBytesMax: 4096,
    judge: () => Promise.resolve(ACCEPT),
  }
  const transport = await startTransport({
    key: await newPeerKey(),
    listen: options.listen ?? ["/ip4/127.0.0.1/tcp/0"],
    topics: [rule],
    ipColocationWeight: 0,
  })
  const requests: SyncRequest[] = []
  const streams = new Streams(transport.libp2p, () => undefined)
  const limits = { requestBytesMax: 1024 * 1024, deadlineMs: 60_000 }
  await streams.serve(SYNC_PROTOCOL, limits, async (bytes, _peer, signal) => {
    const request = decodeRequest(bytes)
    requests.push(request)
    if (options.all !== true && request.kind === "peers") return encodePeers([])
    if (options.all !== true && request.kind === "news") return encodeNothing()
    return await answer(request, signal)
  })
  t.after(async () => {
    await streams.stop()
    await transport.stop()
  })
  return {
    id: transport.peer,
    transport,
    streams,
    requests,
    addresses: () => transport.addresses(),
  }
}
