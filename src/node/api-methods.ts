/** What each call of the API does: a table, total over the contract, from a method's name to a few lines over the node. */
import type { Address } from "../crypto/address.ts"
import { parseAddress } from "../crypto/address.ts"
import { fromHex, toHex } from "../crypto/bytes.ts"
import { CryptoError } from "../crypto/errors.ts"
import { looksLikeTicket } from "../crypto/ticket.ts"
import { ApiError } from "./api/errors.ts"
import type { Inviter, Method, Methods, Params, Result } from "./api/types.ts"
import { MESSAGE_METHODS } from "./api-messages.ts"
import { checkedName } from "./identity/make-identity.ts"
import { mustBeOf, readTicket, ticketFor, typedCode } from "./mesh/mesh.ts"
import type { SottoNode } from "./node.ts"
import { publicKeyText } from "./ledger/validator-keys.ts"
import { checkPassphrase } from "./identity/vault.ts"

/** A call waits so long for the ledger to take a new member; joining goes on after it. */
const JOIN_WAIT_MS = 30_000

type Table = {
  [M in Method]: (node: SottoNode, params: Params<M>) => Promise<Result<M>> | Result<M>
}

const METHODS: Table = {
  status: (node) => node.status(),
  subscribe: (node) => ({ status: node.status() }),
  "profile.create": createProfile,
  "mesh.join": async (node, params) => ({
    meshId: toHex((await node.joinMesh(params)).meshId),
    inviter: inviterIn(params.ticket),
  }),
  "validator.key": async (node) => ({
    key: publicKeyText((await node.ownValidator()).keys),
  }),
  "validators.list": (node) => ({ validators: node.ledger.validators() }),
  "validators.propose": (node, params) => ({
    proposal: node.ledger.operators.proposeValidators(params),
  }),
  "proposals.list": (node) => ({ proposals: node.ledger.operators.proposals() }),
  "proposals.approve": (node, { proposal }) => ({
    proposal: node.ledger.operators.approve(proposal),
  }),
  "ledger.show": (node) => node.ledger.view(),
  "ledger.resume": async (node) => ({ resumed: await node.ledger.resume() }),
  "ledger.verify": async (node) => {
    const { height, code } = await node.ledger.verify((done, total) =>
      node.emit({ type: "progress", what: "checking the ledger", done, total }),
    )
    return { height, fault: code }
  },
  "mesh.invite": (node, { count }) => ({
    tickets: node.ledger.operators.invite(count).map(({ voucher, spend }) => ({
      ticket: ticketFor(node.mesh, node.addresses(), node.selfOrNull, voucher),
      voucher: spend,
    })),
  }),
  "members.list": (node) => {
    const own = node.membership()
    const commitment = own.commitment === null ? undefined : fromHex(own.commitment)
    return { members: node.ledger.operators.members(commitment), own }
  },
  "members.join": async (node, { ticket: text }) => ({ own: await joinMembers(node, text) }),
  "members.cancel": (node) => ({ own: node.joining.cancel() }),
  "members.revoke": (node, { member }) => ({ proposal: node.ledger.operators.revoke(member) }),
  "mesh.ticket": (node) => ({ ticket: ticket(node) }),
  unlock: async (node, { passphrase }) => {
    await node.unlock(passphrase)
    return { address: node.self.address }
  },
  id: (node) => node.self,
  "identity.show": (node) => node.keeper.show(),
  "identity.rotate": async (node, { forgetOld = false }) => {
    const progress = (done: number) =>
      node.emit({ type: "progress", what: "new keys", done, total: 1 })
    progress(0)
    try {
      await node.keeper.rotate({ forgetOld })
    } finally {
      progress(1)
    }
    return node.keeper.show()
  },
  "contacts.list": (node) => ({ contacts: node.chat.contacts() }),
  "contacts.add": async (node, { code, name, postQuantumSignatures = false }) => {
    const who = personIn(node, code)
    const called = name ?? (who.name || undefined)
    const signing = postQuantumSignatures ? "composite" : undefined
    return { contact: await node.chat.addContact(who.address, called, signing) }
  },
  "contacts.remove": async (node, { contact }) => {
    await node.chat.remove(contact)
    return {}
  },
  "contacts.accept": async (node, { contact, anyway = false }) => ({
    contact: await node.chat.accept(contact, { anyway }),
  }),
  "contacts.safety": (node, { contact }) => node.chat.safety(contact),
  "contacts.verify": async (node, { contact, number }) => ({
    contact: await node.chat.verify(contact, number),
  }),
  "contacts.unverify": async (node, { contact }) => ({
    contact: await node.chat.unverify(contact),
  }),
  "contacts.block": async (node, { contact }) => ({ contact: await node.chat.block(contact) }),
  "contacts.rename": async (node, { contact, name }) => ({
    contact: await node.chat.rename(contact, name),
  }),
  "groups.create": async (node, { name, members, postQuantumSignatures = false }) => ({
    group: await node.chat.groupCreate(
      name,
      members,
      postQuantumSignatures ? "composite" : "ed25519",
    ),
  }),
  "groups.show": (node, { group }) => ({ group: node.chat.groupShow(group) }),
  "groups.add": async (node, { group, members }) => ({
    group: await node.chat.groupAdd(group, members),
  }),
  "groups.remove": async (node, { group, member }) => ({
    group: await node.chat.groupRemove(group, member),
  }),
  "groups.rename": async (node, { group, name }) => ({
    group: await node.chat.groupRename(group, name),
  }),
  "groups.admin": async (node, { group, member, admin }) => ({
    group: await node.chat.groupAdmin(group, member, admin),
  }),
  "groups.accept": async (node, { group }) => ({ group: await node.chat.groupAccept(group) }),
  "groups.rejoin": async (node, { group }) => ({ group: await node.chat.groupRejoin(group) }),
  "groups.leave": async (node, { group }) => ({ group: await node.chat.groupLeave(group) }),
  "threads.hide": async (node, { thread }) => {
    await node.chat.hide(thread)
    return {}
  },
  "threads.list": (node) => ({ threads: node.chat.threads() }),
  "messages.page": (node, { thread, limit, ...cursor }) => node.chat.page(thread, cursor, limit),
  "messages.search": (node, { query, limit }) => node.chat.search.ask(query, limit),
  "messages.send": async (node, { to, text, id, replyTo }) => ({
    message: await node.chat.send(to, text, id, replyTo),
  }),
  ...MESSAGE_METHODS,
  "files.send": async (node, params) => ({ transfer: await node.files.send(params) }),
  "files.list": async (node, params) => ({ files: await node.files.list(params) }),
  "files.save": async (node, params) => ({ transfer: await node.files.save(params) }),
  "files.preview": (node, params) => node.files.preview(params),
  "files.cancel": (node, { id }) => {
    node.files.cancel(id)
    return {}
  },
  "transfers.list": (node) => ({ transfers: node.files.transfers() }),
  "threads.read": async (node, { thread, through }) => {
    await node.chat.read(thread, through)
    return {}
  },
  "profile.restore": (node, params) => node.restore(params),
  "backup.write": (node, params) => node.backUp(params),
  stop: (node) => {
    // After the answer has gone out: whoever asked should hear that it worked.
    setImmediate(() => void node.stop())
    return {}
  },
}

export async function callMethod<M extends Method>(
  node: SottoNode,
  method: M,
  params: Methods[M]["params"],
): Promise<Result<M>> {
  return METHODS[method](node, params)
}

async function createProfile(node: SottoNode, params: Params<"profile.create">) {
  const { name, passphrase } = params
  // What can be refused is refused before a mesh is founded: a profile belongs to one for good.
  const inviter = inviterIn(params.ticket)
  checkedName(name)
  if (passphrase !== null) checkPassphrase(passphrase)
  // The mesh first: a ticket that leads nowhere should not leave half a profile. A mesh founded here is not called after its
  // founder: the genesis is public.
  await node.joinMesh(params.ticket === undefined ? {} : { ticket: params.ticket })
  await node.createIdentity(name, passphrase)
  const { voucher } = params.ticket === undefined ? {} : readTicket(params.ticket)
  if (voucher !== undefined && node.mesh.genesis.validators.length > 0)
    // It goes on by itself; what became of it, `members.list` and `members.join` say.
    await node.joining.join(voucher, AbortSignal.abort()).catch(passOverRefusal)
  return { address: node.self.address, ticket: ticket(node), inviter }
}

/** Throws ApiError BAD_TICKET. */
const inviterIn = (text: string | undefined): Inviter | null =>
  text === undefined ? null : (readTicket(text).inviter ?? null)

/** Whoever cannot become a member is in the mesh all the same. */
function passOverRefusal(error: unknown): void {
  if (!(error instanceof ApiError)) throw error
}

/** Throws ApiError BAD_TICKET, OTHER_MESH, NOT_INVITED, BAD_VOUCHER, VOUCHER_USED. */
async function joinMembers(node: SottoNode, text: string | undefined) {
  const signal = AbortSignal.timeout(JOIN_WAIT_MS)
  if (text === undefined) return await node.joining.join(ownVoucher(node), signal)
  const invitation = readTicket(text)
  mustBeOf(node.mesh, invitation)
  if (invitation.voucher === undefined)
    throw new ApiError("NOT_INVITED", "this ticket leads to the mesh but makes nobody a member")
  return await node.joining.join(invitation.voucher, signal)
}

/** An operator vouches for itself as for anybody. */
function ownVoucher(node: SottoNode) {
  const { operators } = node.ledger
  if (!operators.isOperator || node.membership().state !== "none") return undefined
  return operators.invite(1)[0]?.voucher
}

const ticket = (node: SottoNode) => ticketFor(node.mesh, node.addresses(), node.selfOrNull)

/** An address, or a ticket of this mesh that names its inviter. Throws ApiError BAD_ADDRESS, BAD_TICKET, OTHER_MESH. */
function personIn(node: SottoNode, code: string): { address: Address; name: string } {
  const text = typedCode(code)
  if (looksLikeTicket(text)) {
    const invitation = readTicket(text)
    mustBeOf(node.mesh, invitation)
    if (invitation.inviter === undefined)
      throw new ApiError("BAD_TICKET", "the ticket names a mesh but no person")
    return invitation.inviter
  }
  try {
    return { address: parseAddress(text).address, name: "" }
  } catch (cause) {
    if (cause instanceof CryptoError)
      throw new ApiError("BAD_ADDRESS", "that is not a whole address", { cause })
    throw cause
  }
}
