/**
 * First run as a state machine: name, passphrase (typed twice, or skipped), ticket (pasted to join, empty to found), a moment
 * of work, then the own code and room for a friend's. Every question has a default under Enter except the passphrase, whose
 * default is the careful one: it asks again before it leaves the vault open.
 */
import type { ApiErrorCode, Result } from "../../node/api/types.ts"
import { SENTENCES } from "../sentences.ts"
import { edit, emptyDraft } from "./draft.ts"
import type { Draft, DraftEdit } from "./draft.ts"

export type SetupStep =
  "name" | "passphrase" | "unprotected" | "again" | "ticket" | "creating" | "code"

export interface Setup {
  readonly step: SetupStep
  readonly name: Draft
  readonly passphrase: Draft
  readonly again: Draft
  readonly ticket: Draft
  /** A friend's code, on the last page. */
  readonly friend: Draft
  /** The mesh is settled already (a relay became a person): no ticket is asked for. */
  readonly inMesh: boolean
  /** Nothing goes to the disk: there is nothing that a passphrase would seal. */
  readonly ephemeral: boolean
  readonly error: string | null
  readonly address: string
  readonly made: string
  /** What whoever gave the ticket calls themselves; null when it names nobody. */
  readonly inviter: string | null
  readonly adding: boolean
}

export const NAME_MAX = 64

const filled = (text: string): Draft => edit(emptyDraft, { type: "insert", text })

export const beginSetup = (
  userName: string,
  { inMesh, ephemeral }: Pick<Setup, "inMesh" | "ephemeral">,
): Setup => ({
  step: "name",
  name: filled(userName),
  passphrase: emptyDraft,
  again: emptyDraft,
  ticket: emptyDraft,
  friend: emptyDraft,
  inMesh,
  ephemeral,
  error: null,
  address: "",
  made: "",
  inviter: null,
  adding: false,
})

export type Field = "name" | "passphrase" | "again" | "ticket" | "friend"

export const isSecret = (field: Field | null): boolean =>
  field === "passphrase" || field === "again"

/** The field that takes text now, or null. */
export const fieldOf = (setup: Setup): Field | null => {
  switch (setup.step) {
    case "name":
    case "passphrase":
    case "again":
    case "ticket":
      return setup.step
    case "code":
      return setup.adding ? null : "friend"
    case "unprotected":
    case "creating":
      return null
  }
}

/** A form's field after an edit. Secrets remember nothing: no undo, no kill, no history. */
export const typed = (draft: Draft, change: DraftEdit, secret: boolean): Draft => {
  if (!secret) return edit(draft, change)
  const { text, cursor } = edit({ ...emptyDraft, text: draft.text, cursor: draft.cursor }, change)
  return { ...emptyDraft, text, cursor }
}

export function typeInto(setup: Setup, change: DraftEdit): Setup {
  const field = fieldOf(setup)
  if (field === null) return setup
  return { ...setup, error: null, [field]: typed(setup[field], change, isSecret(field)) }
}

export type SetupOutcome =
  | { readonly type: "stay" }
  | {
      readonly type: "create"
      readonly name: string
      readonly passphrase: string | null
      readonly ticket: string | null
    }
  | { readonly type: "befriend"; readonly code: string }
  | { readonly type: "finish" }

const stay: SetupOutcome = { type: "stay" }

function afterSecrets(setup: Setup): [Setup, SetupOutcome] {
  if (!setup.inMesh) return [{ ...setup, step: "ticket", error: null }, stay]
  return create(setup)
}

function create(setup: Setup): [Setup, SetupOutcome] {
  const ticket = setup.ticket.text.replace(/\s+/g, "")
  return [
    { ...setup, step: "creating", error: null },
    {
      type: "create",
      name: setup.name.text.trim(),
      passphrase: setup.passphrase.text === "" ? null : setup.passphrase.text,
      ticket: ticket === "" ? null : ticket,
    },
  ]
}

/** Enter. */
export function advance(setup: Setup): [Setup, SetupOutcome] {
  switch (setup.step) {
    case "name": {
      const name = setup.name.text.trim()
      if (name === "")
        return [{ ...setup, error: "Any name will do; only your contacts see it." }, stay]
      if (name.length > NAME_MAX)
        return [{ ...setup, error: `At most ${NAME_MAX} characters, please.` }, stay]
      if (setup.ephemeral) return afterSecrets(setup)
      return [{ ...setup, step: "passphrase", error: null }, stay]
    }
    case "passphrase":
      return [
        { ...setup, step: setup.passphrase.text === "" ? "unprotected" : "again", error: null },
        stay,
      ]
    case "unprotected":
      // The careful answer is the default.
      return [{ ...setup, step: "passphrase" }, stay]
    case "again":
      if (setup.again.text !== setup.passphrase.text)
        return [
          {
            ...setup,
            step: "passphrase",
            passphrase: emptyDraft,
            again: emptyDraft,
            error: "The two were not the same. Once more from the start.",
          },
          stay,
        ]
      return afterSecrets(setup)
    case "ticket":
      return create(setup)
    case "creating":
      return [setup, stay]
    case "code": {
      const code = setup.friend.text.replace(/\s+/g, "")
      if (setup.adding) return [setup, stay]
      if (code === "") return [setup, { type: "finish" }]
      return [
        { ...setup, adding: true, error: null },
        { type: "befriend", code },
      ]
    }
  }
}

/** `s` on the warning page: go on without a passphrase. */
export const skipPassphrase = (setup: Setup): [Setup, SetupOutcome] =>
  setup.step === "unprotected" ? afterSecrets(setup) : [setup, stay]

/** Esc: one step back where there is one. */
export function goBack(setup: Setup): Setup {
  switch (setup.step) {
    case "passphrase":
      return { ...setup, step: "name", passphrase: emptyDraft, error: null }
    case "unprotected":
    case "again":
    case "ticket":
      return {
        ...setup,
        step: setup.ephemeral ? "name" : "passphrase",
        passphrase: emptyDraft,
        again: emptyDraft,
        error: null,
      }
    case "name":
    case "creating":
    case "code":
      return setup
  }
}

/** Whether the last page still offers to add whoever gave the ticket. */
export const offersInviter = (setup: Setup): boolean =>
  setup.inviter !== null && setup.friend.text === setup.ticket.text

/** The identity exists: what was secret leaves memory. Whom the ticket names is offered as the friend. */
export const created = (
  setup: Setup,
  { address, ticket, inviter }: Result<"profile.create">,
): Setup => ({
  ...setup,
  step: "code",
  passphrase: emptyDraft,
  again: emptyDraft,
  error: null,
  address,
  made: ticket,
  inviter: inviter?.name ?? null,
  friend: inviter === null ? emptyDraft : setup.ticket,
})

/** Making it failed: back to the step that can mend it. */
export function failed(setup: Setup, code: ApiErrorCode): Setup {
  const { what, next } = SENTENCES[code]
  const error = `${what} ${next}`
  if (setup.step === "code") {
    const friend = offersInviter(setup) ? emptyDraft : setup.friend
    return { ...setup, adding: false, error, friend }
  }
  if (code === "BAD_TICKET" || code === "OTHER_MESH") return { ...setup, step: "ticket", error }
  if (code === "WEAK_PASSPHRASE")
    return { ...setup, step: "passphrase", passphrase: emptyDraft, again: emptyDraft, error }
  return { ...setup, step: setup.inMesh ? "name" : "ticket", error }
}

/**
 * A word for how long a passphrase would hold, from its length and variety. A hint while typing, no verdict: the node decides
 * what is too weak.
 */
export function strengthOf(passphrase: string): "" | "weak" | "fair" | "good" | "strong" {
  if (passphrase === "") return ""
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(passphrase))
  const different = new Set(passphrase).size
  const bits = Math.min(passphrase.length, different * 2) * (2 + kinds.length * 0.75)
  return bits < 28 ? "weak" : bits < 45 ? "fair" : bits < 65 ? "good" : "strong"
}
