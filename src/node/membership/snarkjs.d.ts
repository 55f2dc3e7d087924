/** The part of snarkjs that is used here; the package has no types of its own. */
declare module "snarkjs" {
  interface InMemory {
    readonly type: "mem"
    readonly data: Uint8Array
  }
  /** Numbers in decimal; points projective with the last coordinate 1. */
  interface Proof {
    readonly pi_a: readonly string[]
    readonly pi_b: readonly (readonly string[])[]
    readonly pi_c: readonly string[]
  }
  const groth16: {
    fullProve(
      input: Readonly<Record<string, unknown>>,
      wasm: InMemory,
      zkey: InMemory,
    ): Promise<{ readonly proof: Proof; readonly publicSignals: readonly string[] }>
    verify(key: unknown, signals: readonly string[], proof: unknown): Promise<boolean>
  }
  const curves: {
    getCurveFromName(
      name: "bn128",
      options: { readonly singleThread: boolean },
    ): Promise<{ terminate(): Promise<void> }>
  }
}
