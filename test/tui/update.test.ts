/** The transition function under everything that can happen to it, in any order: it never throws, and what it draws fits. */
import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import type { ApiErrorCode, ApiEvent } from "../../src/node/api/types.ts"
import { askGroup } from "../../src/tui/groups.ts"
import { BINDINGS } from "../../src/tui/keys.ts"
import { layout } from "../../src/tui/layout.ts"
import { defaultSettings, initialModel, noticed } from "../../src/tui/model.ts"
import type { Action, Effect, Model } from "../../src/tui/model.ts"
import { rowCells, rowText } from "../../src/tui/rows.ts"
import { chatCursor, messageRows } from "../../src/tui/screens/chat.tsx"
import { pageOf } from "../../src/tui/screens/page-of.ts"
import { SENTENCES } from "../../src/tui/sentences.ts"
import { update } from "../../src/tui/update.ts"
import { statusLine } from "../../src/tui/widgets/status-line.ts"
import { wrap } from "../../src/tui/wrap.ts"
import { FakeApi, T0 } from "./fake-api.ts"
import { hostileText, seeded } from "./random.ts"
import { gardenApi } from "./scenes.ts"

/** Plays the API for the effects of one step, at once; those that change nothing on a screen go unanswered. */
async function answers(api: FakeApi, effect: Effect, random: () => number): Promise<Action | null> {
  if (random() < 0.1) {
    const codes = Object.keys(SENTENCES) as ApiErrorCode[]
    const code = codes[Math.floor(random() * codes.length)] ?? "INTERNAL"
    return { type: "failed", effect, code, text: SENTENCES[code].what }
  }
  try {
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the default is the point: see above
    switch (effect.type) {
      case "load": {
        const [{ contacts }, { threads }] = [
          await api.call("contacts.list", {}),
          await api.call("threads.list", {}),
        ]
        return { type: "loaded", status: api.status, contacts, threads }
      }
      case "page": {
        const params = {
          thread: effect.key,
          limit: 200,
          ...(effect.before === null ? {} : { before: effect.before }),
        }
        return {
          type: "page",
          key: effect.key,
          reason: effect.reason,
          page: await api.call("messages.page", params),
        }
      }
      case "send": {
        const { message } = await api.call("messages.send", { to: effect.key, text: effect.text })
        return { type: "sent", key: effect.key, message }
      }
      case "create":
        return {
          type: "created",
          ...(await api.call("profile.create", {
            name: effect.name,
            passphrase: effect.passphrase,
          })),
        }
      case "accept":
        return {
          type: "contact",
          what: "accepted",
          ...(await api.call("contacts.accept", { contact: effect.contact })),
        }
      case "block":
        return {
          type: "contact",
          what: "blocked",
          ...(await api.call("contacts.block", { contact: effect.contact })),
        }
      case "group":
        return {
          type: "group",
          ask: effect.ask,
          group: await askGroup(api, effect.ask),
        }
      case "ticket":
        return { type: "ticket", ...(await api.call("mesh.ticket", {})) }
      default:
        return null
    }
  } catch {
    return { type: "failed", effect, code: "INTERNAL", text: "no" }
  }
}

const chords = BINDINGS.flatMap((binding) => binding.chords)

function anyAction(random: () => number, api: FakeApi): Action {
  const pick = random()
  if (pick < 0.35) {
    const chord = chords[Math.floor(random() * chords.length)] ?? "enter"
    return { type: "input", event: { type: "key", chord } }
  }
  if (pick < 0.5) {
    const words = [
      "a",
      "b",
      "y",
      "s",
      "t",
      "q",
      "?",
      "/add ",
      "/open bob",
      "/block",
      "/id",
      "/contacts",
      "/members",
      "/leave",
      "hello",
      "漢字 👋",
    ]
    return {
      type: "input",
      event: { type: "text", text: words[Math.floor(random() * words.length)] ?? "a" },
    }
  }
  if (pick < 0.56) return { type: "input", event: { type: "paste", text: hostileText(random, 30) } }
  if (pick < 0.6) return { type: "input", event: { type: "focus", focused: random() < 0.5 } }
  if (pick < 0.68)
    return {
      type: "resize",
      columns: 1 + Math.floor(random() * 150),
      rows: 1 + Math.floor(random() * 50),
    }
  if (pick < 0.72) return { type: "tick" }
  const events: ApiEvent[] = []
  const off = api.events((event) => events.push(event))
  const who = ["bob", "mia", "ops", "carol", "newcomer"][Math.floor(random() * 5)] ?? "bob"
  if (pick < 0.95) {
    const message = api.theySay(who, hostileText(random, 40))
    if (random() < 0.2)
      events.push({
        type: "message",
        message: { ...message, late: true, position: "000000000001x" },
      })
    if (random() < 0.2)
      events.push({
        type: "delivery",
        thread: message.thread,
        id: message.id,
        state: "failed",
        failure: "X",
        receipts: null,
      })
  } else if (pick < 0.97)
    events.push({ type: "contact-removed", address: [...api.contacts.keys()][0] ?? "" })
  else
    api.withStatus({
      peers: random() < 0.5 ? [] : new FakeApi().status.peers,
      alone: { reason: "x".repeat(200), retryInMs: 1e4 },
    })
  off()
  return { type: "events", events }
}

function checkDrawn(model: Model): void {
  const page = pageOf(model)
  if (page !== null) {
    if (page.cursor !== null) assert.ok(page.cursor.x <= model.columns && page.cursor.y >= 0)
    return
  }
  const parts = layout(model)
  const used =
    1 + parts.messageRows + parts.requestRows + parts.hint.length + 1 + parts.composerRows
  assert.ok(
    used <= Math.max(model.rows, parts.requestRows + parts.hint.length + 4),
    `${used} of ${model.rows} rows`,
  )
  const rows = messageRows(model, parts)
  assert.ok(rows.length <= Math.max(parts.messageRows, 6))
  // Below 40 columns a page says that the window is too small; the sentences of an empty chat are cut where they end.
  if (model.history !== null && model.history.messages.length > 0)
    for (const row of rows) assert.ok(rowCells(row) <= parts.paneWidth, rowText(row))
  assert.ok(rowCells(statusLine(model, model.columns)) <= model.columns)
  const cursor = chatCursor(model)
  assert.ok(cursor.x < model.columns && cursor.y >= 0 && cursor.y < model.rows)
}

test("whatever happens, in whatever order, there is a screen that fits and nothing is read unseen", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.constantFrom("none", "locked", "open"),
      async (seed, identity) => {
        const random = seeded(seed)
        const api = gardenApi()
        api.group("club", [...api.contacts.keys()].slice(0, 3))
        api.status = { ...api.status, identity }
        let model = initialModel(defaultSettings({ LANG: "C.UTF-8" }), 80, 24)
        const queue: Action[] = [
          {
            type: "loaded",
            status: api.status,
            contacts: [...api.contacts.values()],
            threads: [...api.threads.values()],
          },
        ]
        for (let i = 0; i < 120; i++) {
          const action = queue.shift() ?? anyAction(random, api)
          const step = update({ ...model, nowMs: T0 + i * 500 }, action)
          model = step.model
          checkDrawn(model)
          for (const effect of step.effects) {
            if (effect.type === "read") assert.ok(model.focused && model.overlay === null)
            const answer = await answers(api, effect, random)
            if (answer !== null) queue.push(answer)
          }
        }
      },
    ),
    { numRuns: Number(process.env["SOTTO_FUZZ_RUNS"] ?? 60) },
  )
})

test("every sentence about an error fits the notice of an 80-column screen whole", () => {
  const model = initialModel(defaultSettings({ LANG: "C.UTF-8" }), 80, 24)
  for (const { what, next } of Object.values(SENTENCES)) {
    const said = `${what} ${next}`
    assert.deepEqual(layout(noticed(model, "bad", said)).hint, wrap(said, 78), said)
  }
})
