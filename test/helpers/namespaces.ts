/**
 * Networks of their own for a test: Linux namespaces with real interfaces, routers with NAT between them where a test wants some, and real
 * nodes inside. They belong to processes and have no names, so they are gone with the test.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import type { TestContext } from "node:test"
import { connectApi } from "../../src/node/api/client.ts"
import { lines, REAL } from "./sotto.ts"

/** `space`: a new network, whose process is then `$pid`. `cable A ADDRESS B ADDRESS PID`: an interface here and one in that network. */
const WORDS = `
set -e
ip link set lo up
pids=
space() {
  unshare -n sleep 300 > /dev/null 2>&1 < /dev/null &
  pid=$!
  while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
  pids="$pids $pid"
  inside $pid ip link set lo up
}
inside() { local at=$1; shift; nsenter -t $at -n "$@"; }
forwarding() { inside $1 sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'; }
cable() {
  ip link add $1 type veth peer name $3 netns $5
  [ "$2" = - ] || ip addr add $2 dev $1
  ip link set $1 up
  inside $5 ip addr add $4 dev $3
  inside $5 ip link set $3 up
}
`

/** The middle has one leg in each network. It forwards nothing: a new namespace never does. */
export const TWO_NETWORKS = `
for i in 1 2; do
  space
  cable v$i 10.77.$i.1/24 eth0 10.77.$i.2/24 $pid
  said="$said $pid"
done
echo $$ $said
`

/** Two machines on one wire, which has neither a router nor a name service. */
export const ONE_LAN = `
ip link add br0 type bridge
ip link set br0 up
for i in 1 2; do
  space
  cable v$i - eth0 192.168.7.$i/24 $pid
  ip link set v$i master br0
  inside $pid ip route add default dev eth0
  said="$said $pid"
done
echo $said
`

/**
 * An internet of public addresses, and two homes in it. Each home's router hides it behind one address and lets in only what answers.
 * `random`: the router gives every connection another port, so that nobody can know which.
 */
export const homes = (ports: "kept" | "random") => `
ip link add br0 type bridge
ip addr add 55.1.1.1/24 dev br0
ip link set br0 up
for i in 1 2; do
  space
  router=$pid
  cable w$i - wan 55.1.1.1$i/24 $router
  ip link set w$i master br0
  space
  home=$pid
  inside $router ip link add lan type veth peer name eth0 netns $home
  inside $router ip addr add 192.168.$i.1/24 dev lan
  inside $router ip link set lan up
  inside $home ip addr add 192.168.$i.2/24 dev eth0
  inside $home ip link set eth0 up
  inside $home ip route add default via 192.168.$i.1
  inside $router ip route add default via 55.1.1.1
  forwarding $router
  inside $router nft -f - << RULES
table ip nat {
  chain out {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "wan" masquerade ${ports === "random" ? "random" : ""}
  }
}
table inet filter {
  chain in {
    type filter hook input priority filter; policy accept;
    iifname "wan" ct state new,invalid drop
  }
  chain through {
    type filter hook forward priority filter; policy accept;
    iifname "wan" ct state new,invalid drop
  }
}
RULES
  said="$said $home"
done
echo $$ $said
`

/** Why these networks cannot be made here, or false. */
export function whyNoNamespaces(): string | false {
  const tried = spawnSync("unshare", ["-rn", "ip", "link", "add", "v", "type", "veth"])
  return tried.status === 0
    ? false
    : "no network namespaces here: unshare, ip or their rights are missing"
}

/** The same for networks with routers. */
export function whyNoRouters(): string | false {
  const rule =
    'table ip nat {\n chain out {\n type nat hook postrouting priority srcnat\n oifname "wan" masquerade\n }\n}\n'
  const tried = spawnSync("unshare", ["-rn", "nft", "-f", "-"], { input: rule })
  return whyNoNamespaces() || (tried.status === 0 ? false : "no routers here: nft is missing")
}

/** Makes networks; the ids of processes in them, as the words above say them. They last until the test ends. */
export async function networks(t: TestContext, words: string): Promise<readonly string[]> {
  const end = "\nread -r _ || true\nkill $pids\n"
  const holder = spawn("unshare", ["-rn", "bash", "-c", WORDS + words + end])
  let said = ""
  holder.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const gone = once(holder, "exit")
  t.after(async () => {
    holder.stdin.end()
    await gone
  })
  const failed = new Promise<string>((_, reject) =>
    holder.once("exit", () => reject(new Error(`the networks did not come up: ${said}`))),
  )
  const line = await Promise.race([lines(holder)(), failed])
  failed.catch(() => undefined)
  return line.trim().split(/\s+/)
}

/** A node in the network of that process. */
export async function nodeIn(
  t: TestContext,
  pid: string,
  data: string,
  ...more: readonly string[]
) {
  const child: ChildProcessWithoutNullStreams = spawn(
    "nsenter",
    [
      ...["--preserve-credentials", "-U", "-n", "-t", pid, process.execPath, REAL, "--data", data],
      ...["node", "--json", ...more],
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
