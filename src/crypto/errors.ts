/**
 * Errors of the world: something outside us failed, and a person can do something about it. Every one carries a stable
 * upper-case code that the screens turn into a sentence. A peer that is wrong is never an exception but a verdict value;
 * we ourselves being wrong is `assert`.
 */

/** Base of all coded errors. `code` is stable and safe to show and log; `message` never contains a secret. */
export class CodedError<Code extends string> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

export type CryptoErrorCode =
  /** Bytes of the wrong length for what they should be. */
  | "BAD_LENGTH"
  /** Bytes that are not a canonical encoding of what they should be: wrong tag, trailing bytes, non-zero padding. */
  | "BAD_ENCODING"
  /** A version that this program does not speak. */
  | "BAD_VERSION"
  /** A key that is not one: not on the curve, small order, wrong modulus. */
  | "BAD_KEY"
  /** A signature or an authentication tag that does not verify. */
  | "BAD_SIGNATURE"
  /** A passphrase that does not open what it should. */
  | "WRONG_PASSPHRASE"
  /** More bytes than the format can hold. */
  | "TOO_LARGE"

export class CryptoError extends CodedError<CryptoErrorCode> {}

/** We are wrong: stop rather than go on with a state that should not exist. */
export function assert(condition: unknown, shouldHold: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${shouldHold}`)
}
