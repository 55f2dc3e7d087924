import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import {
  BACKUP_HEADER_BYTES,
  beginBackup,
  CHUNK_BYTES,
  decodeBackupHeader,
  openBackup,
  SEALED_CHUNK_BYTES,
} from "../../src/crypto/backup.ts"
import {
  type AboutBackup,
  type BackupRecord,
  BackupRecords,
  encodeBackupRecord,
  RECORD_BYTES_MAX,
} from "../../src/crypto/backup-records.ts"
import { type Bytes, concat, Writer } from "../../src/crypto/bytes.ts"
import { CryptoError } from "../../src/crypto/errors.ts"

const stretched = new Uint8Array(32).fill(7)
const stretching = {
  cost: { memoryKiB: 64, passes: 1, lanes: 1 },
  salt: new Uint8Array(16).fill(5),
}

/** A backup of these plaintexts, added one after the other. */
function backupOf(...plaintexts: readonly Bytes[]): Bytes {
  const { header, sealer } = beginBackup(stretching, stretched)
  const chunks = plaintexts.flatMap((plaintext) => sealer.add(plaintext))
  return concat(header, ...chunks, sealer.end())
}

function contentsOf(file: Bytes, key = stretched): Bytes {
  const opener = openBackup(decodeBackupHeader(file.subarray(0, BACKUP_HEADER_BYTES)), key)
  const out: Bytes[] = []
  for (let at = BACKUP_HEADER_BYTES; ; at += SEALED_CHUNK_BYTES) {
    const isLast = file.length - at <= SEALED_CHUNK_BYTES
    out.push(opener.open(file.subarray(at, at + SEALED_CHUNK_BYTES), isLast))
    if (isLast) return concat(...out)
  }
}

const patterned = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31) & 0xff)
const refused = (file: Bytes) => assert.throws(() => contentsOf(file), CryptoError)

describe("a backup file", () => {
  it("gives back what went in, whatever the pieces", () => {
    const lengths = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5]
    for (const length of lengths) {
      const contents = patterned(length)
      const file = backupOf(contents)
      assert.deepEqual(contentsOf(file), contents)
      const chunks = Math.max(1, Math.ceil(length / CHUNK_BYTES))
      assert.equal(file.length, BACKUP_HEADER_BYTES + length + 16 * chunks)
      const pieces = [contents.subarray(0, length / 3), contents.subarray(length / 3)]
      assert.deepEqual(contentsOf(backupOf(...pieces)), contents)
    }
  })

  it("says at its begin what it is, and never looks the same twice", () => {
    const [one, other] = [backupOf(patterned(10)), backupOf(patterned(10))]
    assert.equal(new TextDecoder().decode(one.subarray(0, 15)), "sotto-backup/1\n")
    assert.notDeepEqual(one.subarray(BACKUP_HEADER_BYTES), other.subarray(BACKUP_HEADER_BYTES))
  })

  it("opens to its passphrase alone", () => {
    const file = backupOf(patterned(10))
    assert.throws(() => contentsOf(file, new Uint8Array(32)), { code: "WRONG_PASSPHRASE" })
  })

  it("is refused with any one bit changed", () => {
    const file = backupOf(patterned(CHUNK_BYTES + 100))
    const places = fc.integer({ min: 0, max: file.length - 1 })
    const everyOfTheHeader = Array.from({ length: BACKUP_HEADER_BYTES }, (_, at) => at)
    const flip = (at: number, bit: number) => {
      const altered = file.slice()
      altered[at] = (altered[at] ?? 0) ^ (1 << bit)
      refused(altered)
    }
    for (const at of everyOfTheHeader) flip(at, at % 8)
    fc.assert(fc.property(places, fc.nat({ max: 7 }), flip))
  })

  it("is refused cut off anywhere, between two chunks as well, and with anything behind it", () => {
    const file = backupOf(patterned(2 * CHUNK_BYTES + 100))
    const cuts = fc.integer({ min: 0, max: file.length - 1 })
    fc.assert(fc.property(cuts, (length) => refused(file.subarray(0, length))))
    for (const chunks of [0, 1, 2])
      refused(file.subarray(0, BACKUP_HEADER_BYTES + chunks * SEALED_CHUNK_BYTES))
    refused(concat(file, new Uint8Array(1)))
    refused(concat(file, file.subarray(BACKUP_HEADER_BYTES)))
  })

  it("is refused with chunks swapped, left out, doubled, or of another backup", () => {
    const file = backupOf(patterned(3 * CHUNK_BYTES))
    const other = backupOf(patterned(3 * CHUNK_BYTES))
    const head = file.subarray(0, BACKUP_HEADER_BYTES)
    const chunk = (from: Bytes, at: number) => {
      const start = BACKUP_HEADER_BYTES + at * SEALED_CHUNK_BYTES
      return from.subarray(start, start + SEALED_CHUNK_BYTES)
    }
    const [a, b, c] = [chunk(file, 0), chunk(file, 1), chunk(file, 2)]
    assert.deepEqual(contentsOf(concat(head, a, b, c)), patterned(3 * CHUNK_BYTES))
    refused(concat(head, b, a, c))
    refused(concat(head, a, c))
    refused(concat(head, a, a, b, c))
    refused(concat(head, a, chunk(other, 1), c))
    refused(concat(head, a, b))
  })

  it("of another version, or asking for an absurd amount of memory, is told from a broken one", () => {
    const file = backupOf(patterned(10))
    const versioned = file.slice()
    versioned[13] = "2".charCodeAt(0)
    assert.throws(() => contentsOf(versioned), { code: "BAD_VERSION" })
    const greedy = file.slice()
    greedy.fill(0xff, 15, 19)
    assert.throws(() => contentsOf(greedy), { code: "BAD_ENCODING" })
  })
})

const about: AboutBackup = {
  kind: "about",
  schema: 1,
  genesis: patterned(100),
  naming: patterned(32),
  period: 3,
  block: patterned(50),
}

const bytes = (max: number) => fc.uint8Array({ maxLength: max })
const others = fc.oneof(
  fc.record(
    { kind: fc.constant("private" as const), key: bytes(60), plaintext: bytes(300) },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant("peer" as const),
      peer: fc.string({ maxLength: 60 }).filter((text) => text.isWellFormed()),
      addresses: fc.array(fc.constant("/ip4/192.0.2.1/tcp/1"), { maxLength: 8 }),
    },
    { noNullPrototype: true },
  ),
)

function readIn(pieces: readonly Bytes[]): BackupRecord[] {
  const reader = new BackupRecords()
  const records = pieces.flatMap((piece) => reader.add(piece))
  reader.end()
  return records
}

describe("what a backup holds", () => {
  it("is read back whole, however it was cut", () => {
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 40 })
    fc.assert(
      fc.property(fc.array(others, { maxLength: 12 }), cuts, (records, lengths) => {
        const all = [about, ...records]
        let rest = concat(...all.map(encodeBackupRecord))
        const pieces: Bytes[] = []
        for (const length of lengths) {
          pieces.push(rest.subarray(0, length))
          rest = rest.subarray(length)
        }
        assert.deepEqual(readIn([...pieces, rest]), all)
      }),
    )
  })

  it("begins with what it is about, once, ends with a whole record, and is never empty", () => {
    const record: BackupRecord = { kind: "private", key: patterned(32), plaintext: patterned(9) }
    const [first, second] = [encodeBackupRecord(about), encodeBackupRecord(record)]
    for (const wrong of [[second, first], [first, first], [first, second.subarray(0, 20)], []])
      assert.throws(() => readIn(wrong), CryptoError)
    assert.throws(() => readIn([first, new Writer().u8(2).finish()]), { code: "BAD_LENGTH" })
    const unknown = new Writer().u8(9).u32(0).finish()
    assert.throws(() => readIn([first, unknown]), { code: "BAD_ENCODING" })
  })

  it("claims no record that nobody could hold in memory", () => {
    const claim = new Writer()
      .u8(2)
      .u32(RECORD_BYTES_MAX + 1)
      .finish()
    assert.throws(() => readIn([encodeBackupRecord(about), claim]), { code: "TOO_LARGE" })
  })

  it("takes any bytes without a crash", () => {
    fc.assert(
      fc.property(fc.array(bytes(300), { maxLength: 5 }), (pieces) => {
        try {
          readIn(pieces)
        } catch (error) {
          assert(error instanceof CryptoError)
        }
      }),
    )
  })
})
