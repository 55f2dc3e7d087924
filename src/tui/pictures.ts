/**
 * Files in the open chat: which one a command means, and the pictures that are shown among the messages. Pure.
 */
import type { Message, Preview } from "../node/api/types.ts"
import type { Effect, Model, Step } from "./model.ts"
import { and, noticed, only } from "./model.ts"
import { layout } from "./layout.ts"
import type { Row } from "./rows.ts"
import type { InputEvent } from "./input.ts"
import { sanitizeName } from "./sanitize.ts"
import { isDrawn, pixelsOnPage } from "./widgets/picture.ts"
import {
  forgetImage,
  IMAGE_COLUMNS_MAX,
  IMAGE_ROWS_MAX,
  imageForTerminal,
  imageRows,
  pixelsFor,
} from "./widgets/image.ts"

/** Pictures shown at a time; the one that was opened first goes. */
export const PICTURES_MAX = 8

/** A picture among the messages, or one that is being fetched. */
export interface Picture {
  /** What the terminal calls it: 24 bits, since it is told by a colour. */
  readonly number: number
  /** Null while it is fetched. */
  readonly rows: readonly Row[] | null
}

/** The message whose file is meant: by the beginning of its id, or the newest one in sight. */
export function fileMeant(model: Model, id: string | null): Message | undefined {
  const messages = model.history?.messages ?? []
  const anchor = model.history?.anchor ?? null
  const end = anchor === null ? messages.length : messages.findIndex((m) => m.id === anchor.id) + 1
  return id === null
    ? messages.slice(0, end).findLast((message) => message.file !== null)
    : messages.findLast((message) => message.file !== null && message.id.startsWith(id))
}

const NO_FILE = "There is no file in sight. Scroll to one, or name it: it stands behind its size."

/** Shows the picture in a file, or takes it away again. */
export function viewFile(model: Model, taken: Model, id: string | null): Step {
  const message = fileMeant(model, id)
  if (message === undefined) return only(noticed(model, "bad", NO_FILE))
  const { images, cell } = model.settings
  if (isDrawn(images)) {
    const title = sanitizeName(message.file?.name ?? "")
    const size = pixelsOnPage(cell, model.columns, model.rows)
    const overlay = { name: "picture", id: message.id, title, drawn: false } as const
    return and({ ...taken, overlay }, { type: "view", id: message.id, ...size })
  }
  const known = taken.pictures.get(message.id)
  if (known !== undefined) return withoutPicture(taken, message.id)
  const pictures = new Map(taken.pictures)
  const number = 1 + ((taken.pictured * 7919 + 0x5077) % 0xfffffe)
  pictures.set(message.id, { number, rows: null })
  const [oldest] = pictures.keys()
  const room =
    pictures.size > PICTURES_MAX && oldest !== undefined
      ? withoutPicture({ ...taken, pictures }, oldest)
      : only({ ...taken, pictures })
  const { paneWidth } = layout(model)
  const columns = Math.max(8, Math.min(IMAGE_COLUMNS_MAX, paneWidth - 26))
  const rows = Math.max(4, Math.min(IMAGE_ROWS_MAX, model.rows - 8))
  const size = pixelsFor(images, columns, rows)
  return {
    model: { ...room.model, pictured: taken.pictured + 1 },
    effects: [...room.effects, { type: "view", id: message.id, ...size }],
  }
}

function withoutPicture(model: Model, id: string): Step {
  const picture = model.pictures.get(id)
  const pictures = new Map(model.pictures)
  pictures.delete(id)
  const drawn = picture !== undefined && picture.rows !== null && model.settings.images === "kitty"
  const effects: Effect[] = drawn ? [{ type: "write", sequence: forgetImage(picture.number) }] : []
  return { model: { ...model, pictures }, effects }
}

/** The picture is here. */
export function onPicture(model: Model, id: string, preview: Preview): Step {
  const { overlay } = model
  const style = model.settings.images
  if (overlay?.name === "picture" && isDrawn(style))
    return overlay.id === id ? and(model, { type: "draw", id, style, preview }) : only(model)
  const picture = model.pictures.get(id)
  if (picture === undefined) return only(model)
  const { images } = model.settings
  const rows = imageRows(images, preview, picture.number)
  const pictures = new Map(model.pictures).set(id, { ...picture, rows })
  const out = { ...model, pictures }
  return images === "kitty"
    ? and(out, { type: "write", sequence: imageForTerminal(preview, picture.number) })
    : only(out)
}

/** Encoded: onto its page, which is empty but for a title, if that is still there. */
export function onDrawn(model: Model, id: string, sequence: string): Step {
  const { overlay } = model
  if (overlay?.name !== "picture" || overlay.id !== id) return only(model)
  if (sequence === "") return onNoPicture(model, id, "That picture is damaged.")
  return and({ ...model, overlay: { ...overlay, drawn: true } }, { type: "write", sequence })
}

/** Any key leads back, and takes the picture off the screen. */
export function onPictureInput(model: Model, event: InputEvent): Step {
  if (event.type !== "key" && event.type !== "text") return only(model)
  return and({ ...model, overlay: null }, { type: "repaint" })
}

/** It cannot be shown. */
export function onNoPicture(model: Model, id: string, why: string): Step {
  if (model.overlay?.name === "picture")
    return only(noticed({ ...model, overlay: null }, "bad", why))
  const pictures = new Map(model.pictures)
  pictures.delete(id)
  return only(noticed({ ...model, pictures }, "bad", why))
}

export function saveFile(
  model: Model,
  taken: Model,
  id: string | null,
  folder: string | null,
): Step {
  const message = fileMeant(model, id)
  return message === undefined
    ? only(noticed(model, "bad", NO_FILE))
    : and(taken, { type: "save", id: message.id, folder })
}
