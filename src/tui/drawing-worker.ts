/** The thread behind draw.ts: one picture, then it ends. */
import { parentPort, workerData } from "node:worker_threads"
import { drawing } from "./widgets/drawing.ts"
import type { DrawJob } from "./draw.ts"

const { style, preview } = workerData as DrawJob
parentPort?.postMessage(drawing(style, preview) ?? "")
