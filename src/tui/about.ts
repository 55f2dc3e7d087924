/**
 * What is done about a message: which one is meant, and what the node is asked. A message is selected with a key, or named by the
 * beginning of its id; otherwise the newest that fits is meant. The same for the screen and for line mode.
 */
import type { Api, Message } from "../node/api/types.ts"
import { exportedText, type ExportIntent, exportIntent } from "./exporting.ts"
import { absolute } from "./folders.ts"
import { saidAgainText } from "./lacking.ts"
import { parseLifetime } from "./lifetime.ts"

export type AboutIntent =
  | { readonly type: "reply" | "edit"; readonly text: string }
  | { readonly type: "react"; readonly signs: readonly string[] }
  | { readonly type: "delete"; readonly forAll: boolean }
  | { readonly type: "disappear"; readonly after: string }
  | { readonly type: "tell"; readonly what: "read" | "typing"; readonly on: boolean }
  | { readonly type: "copy"; readonly what: "text" | "id" }
  | { readonly type: "again" }
  | ExportIntent

export type AboutAsk =
  | { readonly what: "reply"; readonly key: string; readonly id: string; readonly text: string }
  | { readonly what: "edit"; readonly id: string; readonly text: string }
  | { readonly what: "react"; readonly id: string; readonly signs: readonly string[] }
  | { readonly what: "delete"; readonly id: string; readonly forAll: boolean }
  | (Omit<ExportIntent, "type"> & { readonly what: "export"; readonly id: string })
  | {
      readonly what: "disappear"
      readonly key: string
      readonly seconds?: number
      readonly blocks?: number
    }
  | { readonly what: "again"; readonly key: string }
  | {
      readonly what: "tell"
      readonly key: string
      readonly read?: boolean
      readonly typing?: boolean
    }

export type AboutPlan =
  { readonly wrong: string } | { readonly copy: string } | { readonly ask: AboutAsk }

const wrong = (sentence: string): AboutPlan => ({ wrong: sentence })

/** `selected`: the one a person has pointed at. */
export function planAbout(
  key: string | null,
  messages: readonly Message[],
  selected: string | null,
  intent: AboutIntent,
): AboutPlan {
  if (key === null) return wrong("Open a chat first: /open name.")
  const pointed = messages.find(({ id }) => id === selected)
  const newest = (fits: (message: Message) => boolean) =>
    pointed ??
    messages.findLast(
      (message) => fits(message) && !message.deleted && !message.sets && !message.notice,
    )
  switch (intent.type) {
    case "disappear": {
      const after = parseLifetime(intent.after)
      return after === undefined
        ? wrong("After how long? /disappear 30s, 5m, 8h, 7d, 2w, 100 blocks or off")
        : { ask: { what: "disappear", key, ...after } }
    }
    case "again":
      return { ask: { what: "again", key } }
    case "tell":
      return { ask: { what: "tell", key, [intent.what]: intent.on } }
    case "copy": {
      const message = newest(() => true)
      return message === undefined
        ? wrong("There is nothing to copy here.")
        : { copy: intent.what === "id" ? message.id : message.text }
    }
    case "export": {
      const message = newest(({ mine }) => !mine)
      const { path, others, unordered } = intent
      return message === undefined
        ? wrong("There is nothing to export here. Alt-K selects a message.")
        : { ask: { what: "export", id: message.id, path, others, unordered } }
    }
    case "reply": {
      if (intent.text === "") return wrong("What do you answer? /reply words")
      const message = newest(({ mine }) => !mine)
      return message === undefined
        ? wrong("There is nothing to answer here. Alt-K selects a message.")
        : { ask: { what: "reply", key, id: message.id, text: intent.text } }
    }
    case "edit": {
      if (intent.text === "") return wrong("What should it say? /edit words")
      const message = newest(({ mine }) => mine)
      if (message === undefined) return wrong("You have said nothing here that could be edited.")
      return message.mine
        ? { ask: { what: "edit", id: message.id, text: intent.text } }
        : wrong("Only its author can edit a message.")
    }
    case "react": {
      const message = newest(({ mine }) => !mine)
      return message === undefined
        ? wrong("There is nothing to react to here. Alt-K selects a message.")
        : { ask: { what: "react", id: message.id, signs: intent.signs } }
    }
    case "delete": {
      const message = pointed ?? messages.findLast(({ mine, deleted }) => mine && !deleted)
      if (message === undefined) return wrong("Which one? Alt-K selects a message.")
      return intent.forAll && !message.mine
        ? wrong("You can ask others to delete what you said yourself, nothing else.")
        : { ask: { what: "delete", id: message.id, forAll: intent.forAll } }
    }
  }
}

/** Asks the node; gives what is to be said about it, nothing when the messages show it. */
export async function askAbout(
  api: Api,
  ask: AboutAsk,
  newId: () => string,
  options: { signal?: AbortSignal } = {},
): Promise<string | null> {
  switch (ask.what) {
    case "reply": {
      const { key: to, text, id: replyTo } = ask
      await api.call("messages.send", { to, text, replyTo, id: newId() }, options)
      return null
    }
    case "edit":
      await api.call("messages.edit", { id: ask.id, text: ask.text }, options)
      return null
    case "react":
      await api.call("messages.react", { id: ask.id, signs: ask.signs }, options)
      return null
    case "delete": {
      const { id, forAll } = ask
      const { recalled } = await api.call("messages.delete", { id, forAll }, options)
      if (recalled) return "It had not left yet, and never will."
      return forAll
        ? "Deleted here, and the others' programs are asked to. Somebody may have read it."
        : "Deleted here. The others keep theirs."
    }
    case "export": {
      const { id, others, unordered } = ask
      const asked = { id, path: absolute(ask.path), others, unordered }
      return exportedText(await api.call("messages.export", asked, options))
    }
    case "disappear": {
      const { key: thread, seconds, blocks } = ask
      const after = { ...(seconds && { seconds }), ...(blocks && { blocks }) }
      await api.call("threads.lifetime", { thread, ...after }, options)
      return null
    }
    case "again": {
      const { said } = await api.call("threads.again", { thread: ask.key }, options)
      return saidAgainText(said)
    }
    case "tell": {
      const how = {
        ...(ask.read === undefined ? {} : { read: ask.read }),
        ...(ask.typing === undefined ? {} : { typing: ask.typing }),
      }
      const { thread } = await api.call("threads.tell", { thread: ask.key, ...how }, options)
      const { read, typing } = thread.tells
      return `Here others learn ${read ? "" : "not "}that you have read, and ${typing ? "" : "not "}that you write.`
    }
  }
}

const emoji = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** What the arguments of these commands mean. */
export function aboutIntent(name: string, rest: string): AboutIntent | string {
  switch (name) {
    case "reply":
    case "edit":
      return { type: name, text: rest }
    case "react": {
      if (rest === "") return "With what? /react 👍, three at most; /react none takes them back"
      const signs = Array.from(emoji.segment(rest.replace(/\s+/gu, "")), ({ segment }) => segment)
      return { type: "react", signs: rest === "none" ? [] : signs }
    }
    case "delete":
      return rest === "" || rest === "all"
        ? { type: "delete", forAll: rest === "all" }
        : "/delete takes it away here; /delete all asks everybody to"
    case "export":
      return exportIntent(rest)
    case "again":
      return { type: "again" }
    case "disappear":
      return { type: "disappear", after: rest }
    case "tell": {
      const [, what = "", on = ""] = /^(read|typing) (on|off)$/.exec(rest) ?? []
      return what === ""
        ? "What, and how? /tell read on, /tell typing off"
        : { type: "tell", what: what === "read" ? "read" : "typing", on: on === "on" }
    }
    default:
      return { type: "copy", what: rest === "id" ? "id" : "text" }
  }
}
