/**
 * Two networks that have no way to each other, and between them one host that both reach: network namespaces with real interfaces. The
 * people in them are reached over the relay, because nothing else leads there.
 */
import assert from "node:assert/strict"
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import type { Api } from "../../src/node/api/types.ts"
import { connectApi } from "../../src/node/api/client.ts"
import { lines, REAL } from "../helpers/sotto.ts"
import { temporaryDirectory } from "../helpers/temporary.ts"
import { received, until } from "./mesh.ts"

/** The middle has one leg in each network. It forwards nothing: a new namespace never does. */
const NETWORKS = `
set -e
ip link set lo up
for i in 1 2; do
  unshare -n sleep 300 > /dev/null 2>&1 < /dev/null &
  pid=$!
  while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
  ip link add v$i type veth peer name eth0 netns $pid
  ip addr add 10.77.$i.1/24 dev v$i
  ip link set v$i up
  nsenter -t $pid -n ip link set lo up
  nsenter -t $pid -n ip addr add 10.77.$i.2/24 dev eth0
  nsenter -t $pid -n ip link set eth0 up
  pids="$pids $pid"
done
echo $$ $pids
read -r _ || true
kill $pids
`

function whyNot(): string | false {
  const tried = spawnSync("unshare", ["-rn", "ip", "link", "add", "v", "type", "veth"])
  return tried.status === 0
    ? false
    : "no network namespaces here: unshare, ip or their rights are missing"
}

/** Three processes, one in each network: the middle first. */
async function networks(t: TestContext): Promise<readonly string[]> {
  const holder = spawn("unshare", ["-rn", "bash", "-c", NETWORKS])
  const gone = once(holder, "exit")
  t.after(async () => {
    holder.stdin.end()
    await gone
  })
  const failed = new Promise<string>((_, reject) =>
    holder.once("exit", () => reject(new Error("the networks did not come up"))),
  )
  const line = await Promise.race([lines(holder)(), failed])
  failed.catch(() => undefined)
  return line.trim().split(/\s+/)
}

/** A node in the network of that process. */
async function nodeIn(t: TestContext, pid: string, data: string, ...more: readonly string[]) {
  const child: ChildProcessWithoutNullStreams = spawn(
    "nsenter",
    [
      ...["--preserve-credentials", "-U", "-n", "-t", pid, process.execPath, REAL, "--data", data],
      ...["node", "--no-mdns", "--json", ...more],
    ],
    { env: { PATH: process.env["PATH"] ?? "", HOME: "/nonexistent", LANG: "C.UTF-8" } },
  )
  t.after(() => child.kill("SIGKILL"))
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const ended = new Promise<string>((_, reject) =>
    child.once("exit", (code) => reject(new Error(`the node ended with ${code}: ${said}`))),
  )
  ended.catch(() => undefined)
  const { socket } = JSON.parse(await Promise.race([lines(child)(), ended])) as { socket: string }
  const api = await connectApi(socket)
  t.after(() => api.close())
  return api
}

const ticketOf = async (api: Api) => (await api.call("mesh.ticket", {})).ticket

describe("e2e: two networks without a way to each other", { skip: whyNot() }, () => {
  it("talk over a relay between them, which a ticket alone leads to", async (t) => {
    const [middle = "", first = "", second = ""] = await networks(t)
    const directory = temporaryDirectory(t)
    const place = (name: string) => join(directory, name)
    const relay = await nodeIn(t, middle, place("relay"), "--relay")
    await relay.call("mesh.join", { name: "hills" })

    const alice = await nodeIn(t, first, place("alice"), "--reached-by", "relay")
    await alice.call("profile.create", {
      name: "alice",
      passphrase: null,
      ticket: await ticketOf(relay),
    })
    await until(
      alice,
      () => alice.call("status", {}),
      ({ listen }) =>
        listen.some(
          (address) => address.includes("10.77.2.1") && address.includes("/p2p-circuit/"),
        ),
    )
    const invitation = await ticketOf(alice)

    const bob = await nodeIn(t, second, place("bob"))
    await bob.call("profile.create", { name: "bob", passphrase: null, ticket: invitation })
    await bob.call("contacts.add", { code: invitation, name: "alice" })
    const { peers } = await until(
      bob,
      () => bob.call("status", {}),
      (status) =>
        status.peers.some(({ address, gossip }) => gossip && address.includes("p2p-circuit")),
      { timeoutMs: 60_000 },
    )
    assert(
      peers.every(({ address }) => address.startsWith("/ip4/10.77.2.")),
      "nothing leads from one network into the other",
    )
    await bob.call("messages.send", { to: "alice", text: "over the hills" })
    const [request] = await until(
      alice,
      async () => (await alice.call("contacts.list", {})).contacts,
      (contacts) => contacts.length > 0,
      { timeoutMs: 60_000 },
    )
    assert(request !== undefined)
    await alice.call("contacts.accept", { contact: request.address })
    await received(alice, request.name, ["over the hills"])
    await received(bob, "alice", ["and far away"], () =>
      alice.call("messages.send", { to: request.address, text: "and far away" }),
    )
  })
})
