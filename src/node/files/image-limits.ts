/** What the decoder of images and whoever asks it agree on (image.ts, image-decoder.ts). */

/** Pixels of an image that is decoded at all: 40 million. */
export const IMAGE_PIXELS_MAX = 40_000_000
/** Longest side of what is shown. */
export const PREVIEW_SIDE_MAX = 1_600

/** First byte of an answer; after DECODED come width 2, height 2 and three bytes a pixel. */
export const IMAGE_ANSWERS = [
  "DECODED",
  "NOT_AN_IMAGE",
  "IMAGE_TOO_LARGE",
  "IMAGE_DAMAGED",
] as const
export type ImageAnswer = (typeof IMAGE_ANSWERS)[number]
