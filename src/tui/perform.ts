/**
 * Effects carried out against the API and the terminal; every answer comes back as an action. Sends keep their order: the next
 * one starts when the one before is durable. Errors become codes and sentences here, and nothing of a passphrase goes into
 * either.
 */
import { randomBytes } from "node:crypto"
import type { Api } from "../node/api/types.ts"
import { draw } from "./draw.ts"
import { askAbout } from "./about.ts"
import { absolute, folderFor } from "./folders.ts"
import { vouchForFounder } from "./founder.ts"
import { askGroup } from "./groups.ts"
import type { Action, Effect } from "./model.ts"
import { codeOf, spoken } from "./sentences.ts"
import { around } from "./around.ts"
import { SEARCH_LIMIT } from "./search.ts"
import { PAGE_SIZE } from "./widgets/history.ts"

export interface World {
  readonly api: Promise<Api>
  readonly signal: AbortSignal
  dispatch(action: Action): void
  /** Raw bytes to the terminal that do not touch the picture: bell, clipboard. */
  write(sequence: string): void
  repaint(): void
  suspend(): void
  exit(code: number): void
  now(): number
}

/** A bell more often than this only annoys. */
const BELL_EVERY_MS = 10_000
/** Terminals cut longer OSC 52 strings. */
const COPY_MAX = 70_000

export function createPerformer(world: World): (effect: Effect) => void {
  let lastSend: Promise<void> = Promise.resolve()
  let bellAt = -BELL_EVERY_MS

  async function run(effect: Effect): Promise<Action | null> {
    const api = await world.api
    const options = { signal: world.signal }
    switch (effect.type) {
      case "load": {
        const { status } = await api.call("subscribe", {}, options)
        if (status.identity !== "open") return { type: "loaded", status, contacts: [], threads: [] }
        const [{ contacts }, { threads }] = await Promise.all([
          api.call("contacts.list", {}, options),
          api.call("threads.list", {}, options),
        ])
        return { type: "loaded", status, contacts, threads }
      }
      case "create": {
        const { name, passphrase, ticket } = effect
        const params = ticket === null ? { name, passphrase } : { name, passphrase, ticket }
        const made = await api.call("profile.create", params, options)
        if (ticket === null) vouchForFounder(api)
        return { type: "created", ...made }
      }
      case "backup": {
        const path = absolute(effect.path)
        const params = { path, passphrase: effect.passphrase }
        return { type: "backed-up", path, made: await api.call("backup.write", params, options) }
      }
      case "restore": {
        const params = { path: absolute(effect.path), passphrase: effect.passphrase }
        return { type: "restored", restored: await api.call("profile.restore", params, options) }
      }
      case "unlock":
        await api.call("unlock", { passphrase: effect.passphrase }, options)
        return run({ type: "load" })
      case "page": {
        const { key, reason, before, after } = effect
        const cursor = after !== undefined ? { after } : before === null ? {} : { before }
        const params = { thread: key, limit: PAGE_SIZE, ...cursor }
        return { type: "page", key, reason, page: await api.call("messages.page", params, options) }
      }
      case "search": {
        const { query } = effect
        const answer = await api.call("messages.search", { query, limit: SEARCH_LIMIT }, options)
        return { type: "found", query, answer }
      }
      case "jump": {
        const { key, id, position } = effect
        const page = await around(api, key, position, options)
        return { type: "jumped", key, id, ...page }
      }
      case "send": {
        const { key, text } = effect
        // The id makes a repeated call harmless: the node knows the message again.
        const id = randomBytes(16).toString("hex")
        const { message } = await api.call("messages.send", { to: key, text, id }, options)
        return { type: "sent", key, message }
      }
      case "about": {
        const newId = () => randomBytes(16).toString("hex")
        const text = await askAbout(api, effect.ask, newId, options)
        return text === null ? null : { type: "said", text }
      }
      case "typing":
        await api.call("threads.typing", { thread: effect.thread, active: effect.active }, options)
        return null
      case "file": {
        const { key, text } = effect
        const path = absolute(effect.path)
        const words = text === "" ? {} : { text }
        const { transfer } = await api.call("files.send", { to: key, path, ...words }, options)
        return { type: "transfer", transfer }
      }
      case "save": {
        const directory = await folderFor(effect.folder)
        const { transfer } = await api.call("files.save", { id: effect.id, directory }, options)
        return { type: "transfer", transfer }
      }
      case "view": {
        const { id, width, height } = effect
        const preview = await api.call("files.preview", { id, width, height }, options)
        return { type: "picture", id, preview }
      }
      case "draw": {
        const { id, style, preview } = effect
        return { type: "drawn", id, sequence: await draw({ style, preview }, world.signal) }
      }
      case "write":
        world.write(effect.sequence)
        return null
      case "retry":
        return {
          type: "retried",
          message: (await api.call("messages.retry", { id: effect.id }, options)).message,
        }
      case "read":
        await api.call("threads.read", { thread: effect.thread, through: effect.through }, options)
        return null
      case "add": {
        const { code, name } = effect
        const params = name === null ? { code } : { code, name }
        const { contact } = await api.call("contacts.add", params, options)
        return { type: "contact", contact, what: "added" }
      }
      case "accept": {
        const params = { contact: effect.contact, ...(effect.anyway ? { anyway: true } : {}) }
        const { contact } = await api.call("contacts.accept", params, options)
        return { type: "contact", contact, what: "accepted" }
      }
      case "safety": {
        const shown = await api.call("contacts.safety", { contact: effect.contact }, options)
        return { type: "safety", ...shown }
      }
      case "verify": {
        const params = { contact: effect.contact, number: effect.number }
        const { contact } = await api.call("contacts.verify", params, options)
        return { type: "contact", contact, what: "verified" }
      }
      case "unverify": {
        const { contact } = await api.call(
          "contacts.unverify",
          { contact: effect.contact },
          options,
        )
        return { type: "contact", contact, what: "unverified" }
      }
      case "strengthen": {
        const params = { code: effect.contact, postQuantumSignatures: true }
        const { contact } = await api.call("contacts.add", params, options)
        return { type: "contact", contact, what: "strengthened" }
      }
      case "block": {
        const { contact } = await api.call("contacts.block", { contact: effect.contact }, options)
        return { type: "contact", contact, what: "blocked" }
      }
      case "rename": {
        const { contact } = await api.call(
          "contacts.rename",
          { contact: effect.contact, name: effect.name },
          options,
        )
        return { type: "contact", contact, what: "renamed" }
      }
      case "group": {
        const { ask } = effect
        return { type: "group", ask, group: await askGroup(api, ask, options) }
      }
      case "hide":
        await api.call("threads.hide", { thread: effect.thread }, options)
        return { type: "hidden", thread: effect.thread }
      case "rotate":
        await api.call("identity.rotate", {}, options)
        return { type: "rotated" }
      case "ticket":
        return { type: "ticket", ticket: (await api.call("mesh.ticket", {}, options)).ticket }
      case "copy":
        if (effect.text.length <= COPY_MAX)
          world.write(`\x1b]52;c;${Buffer.from(effect.text).toString("base64")}\x07`)
        return null
      case "bell":
        if (world.now() - bellAt >= BELL_EVERY_MS) {
          bellAt = world.now()
          world.write("\x07")
        }
        return null
      case "repaint":
        world.repaint()
        return null
      case "suspend":
        world.suspend()
        return null
      case "exit":
        world.exit(effect.code)
        return null
    }
  }

  async function attempt(effect: Effect): Promise<void> {
    let answer: Action | null
    try {
      answer = await run(effect)
    } catch (error) {
      answer = { type: "failed", effect, code: codeOf(error), text: spoken(error) }
    }
    if (answer !== null && !world.signal.aborted) world.dispatch(answer)
  }

  return (effect) => {
    // These must work while the API is still on its way, or never comes.
    if (effect.type === "exit") world.exit(effect.code)
    else if (effect.type === "repaint") world.repaint()
    else if (effect.type === "suspend") world.suspend()
    else if (effect.type === "send") lastSend = lastSend.then(() => attempt(effect))
    else void attempt(effect)
  }
}
