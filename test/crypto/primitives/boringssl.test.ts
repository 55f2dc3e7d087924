// NIST's SLH-DSA signatures as BoringSSL keeps them (test/vectors/boringssl). They test the internal interface of FIPS 205,
// whose message has no context in front. Our interface and node:crypto offer only the external one, so these hold noble
// below the interface; OpenSSL is held to noble in interop.test.ts. No SHAKE-256s signatures are published in this form.
import { slh_dsa_sha2_128s } from "@noble/post-quantum/slh-dsa.js"
import { readVectors } from "../../helpers/vectors.ts"
import { hex, hold, is, portable } from "./held.ts"

const { internal } = slh_dsa_sha2_128s
const { tests: signed } = readVectors("boringssl/slh-dsa-sha2-128s-siggen.json") as {
  tests: readonly Readonly<Record<"priv" | "entropy" | "msg" | "sig", string>>[]
}
const { tests: judged } = readVectors("boringssl/slh-dsa-sha2-128s-sigver.json") as {
  tests: readonly (Readonly<Record<"pub" | "msg" | "sig", string>> & { valid: "true" | "false" })[]
}

hold(
  "SLH-DSA-SHA2-128s in noble, below the interface: published signatures verify exactly when they should",
  [
    ...judged.map(({ pub, msg, sig, valid }, nth) => ({
      id: `sigver ${nth}`,
      expected: valid === "true",
      observe: () => internal.verify(hex(sig), hex(msg), hex(pub)),
    })),
    ...signed.map(({ priv, msg, sig }, nth) => ({
      id: `siggen ${nth}`,
      expected: true,
      observe: () => internal.verify(hex(sig), hex(msg), hex(priv).subarray(32)),
    })),
  ],
  { ran: 9 },
  [portable],
)

const SLOW = "a second of hashing each; one is enough"
hold(
  "SLH-DSA-SHA2-128s in noble, below the interface: the published randomness gives the published signature",
  signed.map(({ priv, entropy, msg, sig }, nth) => ({
    id: `siggen ${nth}`,
    expected: true,
    skip: nth > 0 ? SLOW : undefined,
    observe: () => is(internal.sign(hex(msg), hex(priv), { extraEntropy: hex(entropy) }), sig),
  })),
  { ran: 1, skipped: { [SLOW]: 3 } },
  [portable],
)
