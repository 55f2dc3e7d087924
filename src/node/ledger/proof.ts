/**
 * What a backup says about the order: the block up to which it is complete. A block proves its own hash; its certificate proves that
 * the mesh decided it, as far as the validators of its term are known without the chain: those of the genesis.
 */
import { blockHash, termOf } from "../../consensus/block.ts"
import { certificateFault } from "../../consensus/certificate.ts"
import { decodeBlockRecord } from "../../consensus/codec.ts"
import { hybridScheme } from "../../consensus/hybrid.ts"
import { validatorSet } from "../../consensus/quorum.ts"
import { type Bytes, equal } from "../../crypto/bytes.ts"
import { CryptoError } from "../../crypto/errors.ts"
import { ledgerRules } from "./rules.ts"
import type { Mesh } from "../mesh/mesh.ts"

export interface ProvenBlock {
  readonly height: number
  /** 32 bytes. */
  readonly hash: Bytes
  /** The genesis' validators signed it. Otherwise the set has changed since, and only the chain can tell. */
  readonly certified: boolean
}

/** Throws CryptoError for a block that is none, or that claims what it cannot prove. */
export function provenBlock(mesh: Mesh, encoded: Bytes): ProvenBlock {
  const rules = ledgerRules(mesh)
  const { height, parent, stateRoot, batch, certificate } = decodeBlockRecord(encoded)
  const hash = blockHash(mesh.meshId, { height, parent, digest: batch.digest, stateRoot })
  const { type, term } = certificate
  const isItsOwn =
    type === "commit" && certificate.height === height && equal(certificate.digest, hash)
  if (!isItsOwn || term !== termOf(height, rules.termHeights))
    throw new CryptoError("BAD_SIGNATURE", "the certificate is another block's")
  const set = validatorSet(rules.validators)
  const certified = certificateFault(certificate, mesh.meshId, set, hybridScheme()) === undefined
  // The first term's validators are the genesis' own: here no later set can explain it.
  if (!certified && term === 0)
    throw new CryptoError("BAD_SIGNATURE", "the block's certificate does not verify")
  return { height, hash, certified }
}
