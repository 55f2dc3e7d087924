/** A TCP relay that lets a test read what two peers say on the wire, and cut them off. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import type { TestContext } from "node:test"

export interface Relay {
  /** Multiaddr of the relay, without a peer id. */
  readonly address: string
  /** Everything that went from the target to who connected, so far. */
  readonly fromTarget: () => Buffer
  readonly toTarget: () => Buffer
}

export async function relayTo(t: TestContext, targetPort: number): Promise<Relay> {
  const down: Buffer[] = []
  const up: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((from) => {
    const to = connect(targetPort, "127.0.0.1")
    for (const socket of [from, to]) {
      sockets.add(socket)
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket))
    }
    from.on("data", (data: Buffer) => up.push(data)).pipe(to)
    to.on("data", (data: Buffer) => down.push(data)).pipe(from)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`,
    fromTarget: () => Buffer.concat(down),
    toTarget: () => Buffer.concat(up),
  }
}

export const portOf = (address: string): number => Number(/\/tcp\/(\d+)/.exec(address)?.[1])
