/**
 * A QR code in half blocks, dark on light whatever the terminal's colours are: an inverted one is not read by many scanners.
 * The text is upper-cased, which bech32 allows and which makes the code a third smaller.
 * The library draws light modules as blocks, so the blocks are white and what lies behind them is black.
 */
import { renderUnicodeCompact } from "uqr"

export function qrCode(text: string): string {
  const code = renderUnicodeCompact(text.toUpperCase(), { ecc: "L", border: 2 })
  return code
    .split("\n")
    .map((line) => `\u001b[38;5;231;48;5;16m${line}\u001b[0m\n`)
    .join("")
}
