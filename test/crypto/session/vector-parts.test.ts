/**
 * The checker of MLS's single parts: it passes vectors of our own suite, and whatever value in them is changed, it says so. The working
 * group's vectors go through the same checks (`npm run mls-vectors -- DIR`).
 */
import assert from "node:assert/strict"
import { test } from "node:test"
import { decodeMlsMessage, encodeMlsMessage } from "ts-mls"
import { refhash } from "ts-mls/crypto/hash.js"
import { extractWelcomeSecret, signGroupInfo } from "ts-mls/groupInfo.js"
import { encodeKeyPackage } from "ts-mls/keyPackage.js"
import { decodeUpdatePath, encodeUpdatePath, type UpdatePath } from "ts-mls/updatePath.js"
import {
  decryptGroupInfo,
  decryptGroupSecrets,
  encryptGroupInfo,
  encryptGroupSecrets,
} from "ts-mls/welcome.js"
import { primitives } from "#primitives"
import { fromHex, toHex } from "../../../src/crypto/bytes.ts"
import { signaturePublicOf } from "../../../src/crypto/session/signature.ts"
import { suites } from "../../../src/crypto/session/suite.ts"
import { checkVectors } from "../../../scripts/mls-vectors/check.ts"
import { readVectors } from "../../helpers/vectors.ts"

const suite = suites.ed25519

type Json = null | string | number | readonly Json[] | { readonly [name: string]: Json }
type Vector = Readonly<Record<string, Json>>

const vectorsOf = (kind: string) => readVectors(`sotto/${kind}.json`) as readonly Vector[]

async function whyNot(kind: string, vector: unknown): Promise<string | undefined> {
  const { passed, failures } = await checkVectors(kind, [vector])
  assert.equal(passed + failures.length, 1)
  return failures[0]?.why
}

/** The vector again for each value in it, with that value changed: a number by one, bytes in their last bit. */
function* altered(json: Json, name: string): Generator<readonly [string, Json]> {
  if (typeof json === "number") yield [name, json + 1]
  if (typeof json === "string") yield [name, flipped(json)]
  if (json === null || typeof json !== "object") return
  if (isList(json))
    for (const [index, value] of json.entries())
      for (const [path, other] of altered(value, `${name}.${index}`))
        yield [path, json.with(index, other)]
  else
    for (const [key, value] of Object.entries(json))
      for (const [path, other] of altered(value, `${name}.${key}`))
        yield [path, { ...json, [key]: other }]
}

const isList = (json: Json): json is readonly Json[] => Array.isArray(json)

function textOf(vector: Vector, name: string): string {
  const value = vector[name]
  assert(typeof value === "string", name)
  return value
}

function flipped(hex: string): string {
  const bytes = fromHex(hex)
  const last = bytes.length - 1
  bytes[last] = (bytes[last] ?? 0) ^ 1
  return toHex(bytes)
}

for (const kind of ["message-protection", "welcome", "treekem", "deserialization"]) {
  test(`${kind}: our own vectors pass, and none does with one value changed`, async () => {
    for (const { cipher_suite: id, ...vector } of vectorsOf(kind)) {
      const suiteOf = id === undefined ? {} : { cipher_suite: id }
      assert.equal(await whyNot(kind, { ...suiteOf, ...vector }), undefined)
      for (const [path, other] of altered(vector, kind)) {
        const changed = { ...suiteOf, ...(other as Vector) }
        assert.notEqual(await whyNot(kind, changed), undefined, path)
      }
    }
  })
}

test("a header longer than its length needs is no header (RFC 9420 §2.1.2)", async () => {
  for (const [vlbytes_header, length] of [
    ["4001", 1],
    ["80003fff", 16_383],
  ])
    assert.equal(await whyNot("deserialization", { vlbytes_header, length }), "header differs")
})

const [welcomed] = vectorsOf("welcome") as [Vector]

/** The same Welcome by another signer, whose group info says `tag`. */
async function welcomeWith(change: { readonly tag?: Uint8Array; readonly seed: Uint8Array }) {
  const packaged = decodeMlsMessage(fromHex(textOf(welcomed, "key_package")), 0)?.[0]
  const message = decodeMlsMessage(fromHex(textOf(welcomed, "welcome")), 0)?.[0]
  assert(packaged?.wireformat === "mls_key_package" && message?.wireformat === "mls_welcome")
  const key = await suite.hpke.importPrivateKey(fromHex(textOf(welcomed, "init_priv")))
  const encoded = encodeKeyPackage(packaged.keyPackage)
  const newMember = await refhash("MLS 1.0 KeyPackage Reference", encoded, suite.hash)
  const secrets = await decryptGroupSecrets(key, newMember, message.welcome, suite.hpke)
  assert(secrets !== undefined)
  const noPsk = new Uint8Array(suite.kdf.size)
  const info = await decryptGroupInfo(message.welcome, secrets.joinerSecret, noPsk, suite)
  assert(info !== undefined)
  const confirmationTag = change.tag ?? info.confirmationTag
  const signed = await signGroupInfo({ ...info, confirmationTag }, change.seed, suite.signature)
  const welcomeSecret = await extractWelcomeSecret(secrets.joinerSecret, noPsk, suite.kdf)
  const encryptedGroupInfo = await encryptGroupInfo(signed, welcomeSecret, suite)
  const to = await suite.hpke.importPublicKey(packaged.keyPackage.initKey)
  const sealed = await encryptGroupSecrets(to, encryptedGroupInfo, secrets, suite.hpke)
  const encryptedGroupSecrets = { kemOutput: sealed.enc, ciphertext: sealed.ct }
  const welcome = {
    ...message.welcome,
    encryptedGroupInfo,
    secrets: [{ newMember, encryptedGroupSecrets }],
  }
  return toHex(encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome }))
}

test("a Welcome that opens is still held to its signature and its confirmation tag", async () => {
  const seed = primitives.randomBytes(32)
  const signer_pub = toHex(signaturePublicOf(seed))
  const check = (welcome: string, by: object = { signer_pub }) =>
    whyNot("welcome", { ...welcomed, ...by, welcome })
  assert.equal(await check(await welcomeWith({ seed })), undefined)
  assert.equal(
    await check(await welcomeWith({ seed }), {}),
    "signature of the group info does not hold",
  )
  const tag = new Uint8Array(32)
  assert.equal(await check(await welcomeWith({ seed, tag })), "confirmation tag does not hold")
})

const [tree] = vectorsOf("treekem") as [Vector]

/** The first update path with something in it changed. */
function withPath(change: (path: UpdatePath) => UpdatePath): Vector {
  const [first, ...rest] = tree["update_paths"] as readonly Vector[]
  assert(first !== undefined)
  const path = decodeUpdatePath(fromHex(textOf(first, "update_path")), 0)?.[0]
  assert(path !== undefined)
  const update_path = toHex(encodeUpdatePath(change(path)))
  return { ...tree, update_paths: [{ ...first, update_path }, ...rest] }
}

const otherLast = (bytes: Uint8Array) => fromHex(flipped(toHex(bytes)))

test("an update path is held to its parent hashes, its leaf's signature and what it seals", async () => {
  assert.equal(
    await whyNot(
      "treekem",
      withPath((path) => path),
    ),
    undefined,
  )
  const hashed = withPath(({ leafNode, nodes }) => ({
    leafNode: { ...leafNode, parentHash: otherLast(leafNode.parentHash) },
    nodes,
  }))
  assert.match((await whyNot("treekem", hashed)) ?? "", /^Parent hash/)
  const signed = withPath(({ leafNode, nodes }) => ({
    leafNode: { ...leafNode, signature: otherLast(leafNode.signature) },
    nodes,
  }))
  assert.equal(await whyNot("treekem", signed), "signature of the new leaf 0 does not hold")
  const sealed = withPath(({ leafNode, nodes }) => ({
    leafNode,
    nodes: nodes.map((node) => ({
      ...node,
      encryptedPathSecret: node.encryptedPathSecret.map((each) => ({
        ...each,
        ciphertext: otherLast(each.ciphertext),
      })),
    })),
  }))
  assert.equal(await whyNot("treekem", sealed), "not authentic")
})

test("a published secret that is not the one in the path is found at the member it belongs to", async () => {
  const [first, ...rest] = tree["update_paths"] as readonly Vector[]
  assert(first !== undefined)
  const secrets = first["path_secrets"] as readonly (string | null)[]
  const other = secrets.map((each, index) => (index === 2 ? flipped(String(each)) : each))
  const wrong = { ...tree, update_paths: [{ ...first, path_secrets: other }, ...rest] }
  assert.equal(await whyNot("treekem", wrong), "path secret of 2 differs")
  const commit_secret = flipped(textOf(first, "commit_secret"))
  const commit = { ...tree, update_paths: [{ ...first, commit_secret }, ...rest] }
  assert.equal(await whyNot("treekem", commit), "commit secret at 1 differs")
})
