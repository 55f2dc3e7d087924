/** How a group is printed, and waiting until what was asked of it has come about. */
import type { Api, GroupView, Member, PendingChange } from "../node/api/types.ts"
import { withIdentity } from "./attach.ts"
import type { Context } from "./context.ts"
import { CliError } from "./failure.ts"
import type { Output } from "./output.ts"

const WAIT_TIMEOUT_MS = 60_000

/** Asks for a change of a group, waits for it with --wait ordered, and prints the group. */
export async function changeGroup(
  context: Context,
  change: (api: Api) => Promise<{ group: GroupView }>,
): Promise<void> {
  const group = await withIdentity(context, async ({ api }) => {
    const { group: asked } = await change(api)
    return isAwaited(context) ? settled(context, api, asked) : asked
  })
  await printGroup(context.out, group)
  if (group.pending.length > 0 && isAwaited(context)) {
    context.signal.throwIfAborted()
    throw new CliError(
      "TIMEOUT",
      "the ledger has not ordered it yet",
      "it is kept and comes about by itself; `sotto ledger` shows whether the ledger goes on",
    )
  }
}

const isAwaited = (context: Context) => context.text("wait") === "ordered"

/** The group once nothing is pending in it, or as it is when time is up. */
async function settled(context: Context, api: Api, asked: GroupView): Promise<GroupView> {
  const timeUp = AbortSignal.timeout(context.timeMs("timeout") ?? WAIT_TIMEOUT_MS)
  const signal = AbortSignal.any([context.signal, timeUp])
  let wake = Promise.withResolvers<undefined>()
  const stop = api.events((event) => {
    if (event.type === "thread" && event.thread.id === asked.thread) wake.resolve(undefined)
  })
  signal.addEventListener("abort", () => wake.resolve(undefined))
  try {
    for (;;) {
      const next = Promise.withResolvers<undefined>()
      wake = next
      const { group } = await api.call("groups.show", { group: asked.thread })
      if (group.pending.length === 0 || signal.aborted) return group
      await next.promise
    }
  } finally {
    stop()
  }
}

export async function printGroup(out: Output, group: GroupView): Promise<void> {
  if (out.json) {
    out.object(group)
    return
  }
  const { printTable } = await import("./table.ts")
  out.line(
    { text: group.name, style: "bold" },
    `  ${group.thread}${stateOf(group)}${signaturesOf(group)}`,
  )
  printTable(group.members.map((member) => [nameOf(member), standingOf(member), member.address]))
  for (const change of group.pending) {
    out.say(`Not so yet: ${sentenceOf(change)}.`)
    if (change.lacksKey)
      out.say(
        `No key for post-quantum signatures was found of ${change.whoName ?? "them"}: their program may be older, or they were not ` +
          "there for days. They come in when there is one; a group without post-quantum signatures takes them now.",
      )
  }
}

const stateOf = ({ state }: GroupView) =>
  state === "open" ? "" : state === "left" ? "  left" : "  you were added by a stranger"

const signaturesOf = ({ postQuantumSignatures }: GroupView) =>
  postQuantumSignatures ? "  post-quantum signatures" : ""

const nameOf = ({ me, name }: Member) => (me ? "you" : name)

const standingOf = ({ admin, here, vouched }: Member) =>
  [admin ? "admin" : "", here ? "" : "added, not seen yet", vouched ? "" : "not vouched for"]
    .filter((word) => word !== "")
    .join(", ")

function sentenceOf({ kind, whoName, name, admin }: PendingChange): string {
  const who = whoName ?? "somebody"
  switch (kind) {
    case "add":
      return `${who} is in it`
    case "remove":
      return `${who} is out of it`
    case "rename":
      return `it is called ${name ?? ""}`
    case "admin":
      return admin === true ? `${who} is an admin` : `${who} is no admin`
    case "renew":
      return "you have new keys"
    case "leave":
      return "you are out of it"
    case "return":
      return "you are let in anew; its members are being asked"
  }
}
