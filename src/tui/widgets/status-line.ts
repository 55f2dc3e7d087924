/**
 * The status line: connected or why not, synced or how far, what is still waiting, and what the user should know about the
 * disk. Words beside every shape; the parts that matter most survive a narrow screen.
 */
import type { Model } from "../model.ts"
import { entries } from "../model.ts"
import type { Row } from "../rows.ts"
import { joinFitting, rowCells, span } from "../rows.ts"
import { sanitizeLine } from "../sanitize.ts"
import { STATE_ROLES, STATE_WORDS } from "../theme.ts"
import type { Role } from "../theme.ts"
import { writing } from "../typing.ts"
import { truncate } from "../wrap.ts"
import { transferText } from "./transfers.ts"

/** A reason cut shorter than this says nothing. */
const REASON_MIN = 8

const seconds = (ms: number): string => {
  const whole = Math.max(0, Math.ceil(ms / 1000))
  return whole >= 120 ? `${Math.ceil(whole / 60)} min` : `${whole} s`
}

const counted = (count: number, one: string, many: string): string =>
  `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`

function peers(model: Model, reasonRoom: number): Row {
  const { status, settings } = model
  if (status === null) return [span("connecting …", "dim")]
  const { glyphs } = settings
  const count = status.peers.length
  if (count > 0) return [span(`${glyphs.online} `, "good"), span(counted(count, "peer", "peers"))]
  const reason = sanitizeLine(status.alone?.reason ?? "")
  const shown = reason === "" || reasonRoom < REASON_MIN ? "" : `: ${truncate(reason, reasonRoom)}`
  return [span(`${glyphs.offline} no peers${shown}`, "warn")]
}

function retry(model: Model): Row[] {
  const alone = model.status?.alone ?? null
  if (model.status === null || alone === null || model.status.peers.length > 0) return []
  const left = alone.retryInMs - (model.nowMs - model.statusAtMs)
  return [[span(left > 0 ? `retry in ${seconds(left)}` : "trying now", "warn")]]
}

function sync(model: Model): Row[] {
  const { status, settings } = model
  if (status === null) return []
  const { state, done, total } = status.sync
  if (state === "idle") return status.peers.length > 0 ? [[span("synced", "dim")]] : []
  const share = total > 0 ? ` ${Math.floor((100 * Math.min(done, total)) / total)} %` : ""
  const left = total > done ? `, ${(total - done).toLocaleString("en-GB")} left` : ""
  return [[span(`${settings.glyphs.syncing} syncing${share}${left}`, "accent")]]
}

/** How far the mesh has put things in order; nothing where nobody does. */
function order(model: Model): Row[] {
  const ledger = model.status?.ledger ?? null
  if (ledger === null) return []
  if (ledger.problem !== null) return [[span("order has stopped here: see sotto ledger", "bad")]]
  if (ledger.stalled) return [[span("order stands still: key changes wait", "warn")]]
  return [[span(`in order at ${ledger.height.toLocaleString("en-GB")}`, "dim")]]
}

/** The state of what was written last, in words: the gutter has only shapes. */
function lastState(model: Model): Row[] {
  const last = model.history?.messages.at(-1)
  if (last?.mine !== true) return []
  const { state } = last
  const word = state === "failed" ? "not sent" : STATE_WORDS[state]
  return [[span("last: ", "dim"), span(word, STATE_ROLES[state])]]
}

/** The file that will arrive first, and how many more there are. */
function moving(model: Model): Row[] {
  const all = [...model.transfers.values()].sort((a, b) => (a.leftS ?? 1e9) - (b.leftS ?? 1e9))
  const [first] = all
  if (first === undefined) return []
  const more = all.length > 1 ? ` and ${all.length - 1} more` : ""
  return [[span(`${transferText(first)}${more}`, "accent")]]
}

const said = (wanted: boolean, text: string, role: Role): Row[] =>
  wanted ? [[span(text, role)]] : []

export function statusLine(model: Model, width: number): Row {
  const { status, progress } = model
  const requests = entries(model).filter((entry) => entry.request).length
  const waiting = (status?.waiting ?? 0) + model.sending
  // While alone, why and for how long matters more than the rest, which stays if there is room.
  const urgent: Row[] = [...retry(model), ...said(waiting > 0, `${waiting} waiting`, "warn")]
  const writers = writing(model)
  const rest: Row[] = [
    ...sync(model),
    ...said(writers !== null, writers ?? "", "accent"),
    ...said(status?.unprotected === true, "! no passphrase", "warn"),
    ...said(
      status?.restored?.standing === "contradicted",
      "! the order contradicts the backup",
      "bad",
    ),
    ...said((status?.damaged ?? 0) > 0, "! damaged records: see sotto status", "bad"),
    ...said(status?.ephemeral === true, "in memory only", "accent"),
    ...lastState(model),
    ...order(model),
    ...said(requests > 0, `? ${counted(requests, "request", "requests")}`, "accent"),
    ...moving(model),
    ...said(progress !== null, progress === null ? "" : progressText(progress), "accent"),
    ...said(true, "F1 help", "dim"),
    ...said(status?.sync.state === "syncing", "history may have gaps", "dim"),
  ]
  const taken = [peers(model, 0), ...urgent].reduce((sum, part) => sum + rowCells(part) + 3, 0)
  return joinFitting([peers(model, width - taken), ...urgent, ...rest], width)
}

export const progressText = (progress: NonNullable<Model["progress"]>): string => {
  const share = progress.total > 0 ? ` ${Math.floor((100 * progress.done) / progress.total)} %` : ""
  return `${sanitizeLine(progress.what)}${share}`
}
