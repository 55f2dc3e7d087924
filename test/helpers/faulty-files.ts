/**
 * Files that fail by number: everything that the program writes below a directory is a step, and a step can fail, or be the last one of
 * the process. Puts itself in front of `node:fs/promises` for the whole process, so the code under test is the real one.
 */
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import type { FileHandle } from "node:fs/promises"

export interface Fault {
  /** Number of the step, from 1; Infinity for none. */
  readonly at: number
  /** A code makes this one step fail; "killed" makes it the last. */
  readonly code: "killed" | "ENOSPC" | "EIO"
  /** How much of what a failing write was given reaches the file. */
  readonly written: "nothing" | "half" | "all"
}

const WRITES = new Set<string | symbol>(["write", "writeFile", "appendFile"])
const STEPS = new Set<string | symbol>([...WRITES, "truncate", "datasync", "sync"])
const PATHS = ["mkdir", "rename", "rm", "unlink"] as const

export class FaultyFiles {
  /** Steps since `arm`, and those among them that can be torn. */
  steps = 0
  readonly writes: number[] = []
  #fault: Fault = { at: Infinity, code: "killed", written: "nothing" }
  #dead = false
  readonly #undo: () => void

  constructor(below: string) {
    const real = { ...fs.promises }
    const isBelow = (path: unknown) => typeof path === "string" && path.startsWith(below)
    for (const name of PATHS) {
      const through = real[name] as (...args: unknown[]) => Promise<unknown>
      const faulty = async (...args: unknown[]) =>
        isBelow(args[0]) ? this.step(() => through(...args)) : through(...args)
      Object.assign(fs.promises, { [name]: faulty })
    }
    const open = async (...args: Parameters<typeof real.open>) => {
      if (!isBelow(args[0])) return real.open(...args)
      const isForReading = args[1] === undefined || args[1] === "r"
      if (isForReading) return real.open(...args)
      return this.#wrapped(await this.step(() => real.open(...args)))
    }
    Object.assign(fs.promises, { open })
    syncBuiltinESMExports()
    this.#undo = () => {
      Object.assign(fs.promises, real)
      syncBuiltinESMExports()
    }
  }

  /** A new life of the process. */
  arm(fault: Fault): void {
    this.#fault = fault
    this.#dead = false
    this.steps = 0
    this.writes.length = 0
  }

  get isDead(): boolean {
    return this.#dead
  }

  restore(): void {
    this.#undo()
  }

  /** One thing that is done to the disk, or not. */
  async step<T>(work: () => Promise<T>, torn?: () => Promise<unknown>): Promise<T> {
    const { at, code, written } = this.#fault
    if (this.#dead) throw failure("killed")
    this.steps++
    if (torn !== undefined) this.writes.push(this.steps)
    if (this.steps !== at) return await work()
    if (code === "killed") this.#dead = true
    // nobody is left to close what was opened
    if (written === "all")
      await (await (work as () => Promise<Partial<FileHandle> | undefined>)())?.close?.()
    else if (written === "half") await torn?.()
    throw failure(code)
  }

  #wrapped(file: FileHandle): FileHandle {
    return new Proxy(file, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== "function") return value
        const through = value.bind(target) as (...args: unknown[]) => Promise<unknown>
        if (!STEPS.has(name)) return through
        return (...args: unknown[]) => {
          const [bytes, ...rest] = args
          const half = () =>
            name === "write"
              ? through(bytes, rest[0] ?? 0, Math.floor((bytes as Uint8Array).length / 2), rest[2])
              : through((bytes as Uint8Array).subarray(0, (bytes as Uint8Array).length / 2))
          // What is written over in place is small and lies in one sector: all of it, or nothing.
          const isInPlace = typeof rest[2] === "number"
          return this.step(
            () => through(...args),
            WRITES.has(name) && !isInPlace ? half : undefined,
          )
        }
      },
    })
  }
}

const failure = (code: string) => Object.assign(new Error(`the disk says ${code}`), { code })
