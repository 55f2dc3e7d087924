/**
 * The status line: connected or why not, synced or how far, what is still waiting, and what the user should know about the
 * disk. Words beside every shape; the parts that matter most survive a narrow screen.
 */
import type { Model } from "../model.ts"
import type { Row } from "../rows.ts"
import { joinFitting, span } from "../rows.ts"
import { sanitizeLine } from "../sanitize.ts"

const seconds = (ms: number): string => {
  const whole = Math.max(0, Math.ceil(ms / 1000))
  return whole >= 120 ? `${Math.ceil(whole / 60)} min` : `${whole} s`
}

const counted = (count: number, one: string, many: string): string =>
  `${count.toLocaleString("en-GB")} ${count === 1 ? one : many}`

function peers(model: Model): Row {
  const { status, settings } = model
  if (status === null) return [span("connecting …", "dim")]
  const { glyphs } = settings
  const count = status.peers.length
  if (count > 0) return [span(`${glyphs.online} `, "good"), span(counted(count, "peer", "peers"))]
  const reason = status.alone === null ? "" : `: ${sanitizeLine(status.alone.reason)}`
  return [span(`${glyphs.offline} no peers${reason}`, "warn")]
}

function retry(model: Model): Row[] {
  const alone = model.status?.alone ?? null
  if (model.status === null || alone === null || model.status.peers.length > 0) return []
  const left = alone.retryInMs - (model.nowMs - model.statusAtMs)
  return [[span(left > 0 ? `next try in ${seconds(left)}` : "trying now", "dim")]]
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

export function statusLine(model: Model, width: number): Row {
  const { status, progress } = model
  const waiting = (status?.waiting ?? 0) + model.sending
  const parts: Row[] = [
    peers(model),
    ...(waiting > 0 ? [[span(`${waiting} waiting to go out`, "warn")] as Row] : []),
    ...sync(model),
    ...retry(model),
    ...(progress === null ? [] : [[span(progressText(progress), "accent")] as Row]),
    ...(status?.unprotected === true ? [[span("! no passphrase", "warn")] as Row] : []),
    [span("F1 help", "dim")],
  ]
  return joinFitting(parts, width)
}

export const progressText = (progress: NonNullable<Model["progress"]>): string => {
  const share = progress.total > 0 ? ` ${Math.floor((100 * progress.done) / progress.total)} %` : ""
  return `${sanitizeLine(progress.what)}${share}`
}
