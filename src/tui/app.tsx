/**
 * The terminal chat on a full screen. `runTui` draws a first frame before the node has answered, then shows whatever the API
 * tells until the person leaves. React and Ink paint; the model, the keys and the effects are plain functions beside this.
 * Import it lazily: it brings Ink and React, which no command line call should pay for, and set NODE_ENV to "production" before.
 */
import type { ReadStream, WriteStream } from "node:tty"
import { Box, render, useApp, useCursor, useStdin } from "ink"
import { useEffect, useSyncExternalStore } from "react"
import type { ReactNode } from "react"
import type { Api } from "../node/api/types.ts"
import { defaultSettings, initialModel } from "./model.ts"
import type { Settings } from "./model.ts"
import { createPerformer } from "./perform.ts"
import { sanitizeLine } from "./sanitize.ts"
import { ChatScreen, chatCursor } from "./screens/chat.tsx"
import { Rows } from "./screens/page.tsx"
import { pageOf } from "./screens/page-of.ts"
import { SENTENCES, codeOf, startSentence } from "./sentences.ts"
import { createStore } from "./store.ts"
import type { Store } from "./store.ts"
import { ASK_ABILITIES, MODES_OFF, MODES_ON, readKeys, sleepUntilContinued } from "./terminal.ts"
import { THEMES, chooseTheme } from "./theme.ts"
import type { ThemeName } from "./theme.ts"

export interface TuiOptions {
  readonly stdin?: ReadStream
  readonly stdout?: WriteStream
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly theme?: ThemeName
  /** What first run proposes as a name; the user's login name, usually. */
  readonly userName?: string
  readonly timeZone?: string
  readonly bell?: boolean
  readonly now?: () => number
}

const CLEAR = "\x1b[2J\x1b[H"
/** Frames a second at most. Keys are drawn within 4 ms; traffic is held to ten by the store. */
const FRAMES_MAX = 250

/** Exit codes of the command line, for what can keep the screen from starting. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  NO_MESH: 3, NO_IDENTITY: 3, BUSY: 5, GONE: 6, STOPPING: 6, STORE_DAMAGED: 8, STORE_NEWER: 8,
} // prettier-ignore

const exitCodeOf = (error: unknown): number => EXIT_CODES[codeOf(error)] ?? 1

interface AppProps {
  readonly store: Store
  /** The terminal is gone. */
  readonly onEnd: () => void
  readonly write: (sequence: string) => void
  /** Hands the terminal's suspension to the effects, which live outside of React. */
  readonly onSuspender: (suspend: (during: () => Promise<void>) => Promise<void>) => void
}

function App({ store, write, onEnd, onSuspender }: AppProps): ReactNode {
  const model = useSyncExternalStore(store.subscribe, store.get)
  const { setCursorPosition } = useCursor()
  const input = useStdin()
  const terminal = useApp()

  const { stdin } = input
  useEffect(() => {
    input.setRawMode(true)
    write(MODES_ON)
    // Half blocks are what is left when nothing else is known: such a terminal may still draw sixels.
    if (store.get().settings.images === "blocks") write(ASK_ABILITIES)
    const stop = readKeys(stdin, (event) => store.dispatch({ type: "input", event }), onEnd)
    onSuspender((during) => terminal.suspendTerminal(during))
    return () => {
      stop()
      write(MODES_OFF)
      input.setRawMode(false)
    }
    // Once for the life of the screen: what Ink hands out here does not change.
  }, [])

  const page = pageOf(model)
  const cursor = page === null ? chatCursor(model) : page.cursor
  setCursorPosition(cursor === null || cursor.y >= model.rows ? undefined : cursor)
  if (page === null) return <ChatScreen model={model} />
  return (
    <Box width={model.columns} height={model.rows}>
      <Rows
        rows={page.rows}
        width={model.columns}
        height={model.rows}
        theme={THEMES[model.settings.theme]}
      />
    </Box>
  )
}

/** Some terminals do not say, or say zero. */
const sizeOf = (stdout: WriteStream): [columns: number, rows: number] => [
  stdout.columns || 80,
  stdout.rows || 24,
]

function settingsOf(options: TuiOptions): Settings {
  const env = options.env ?? process.env
  return {
    ...defaultSettings(env),
    theme: chooseTheme(options.theme, env),
    timeZone: options.timeZone ?? null,
    userName: options.userName ?? "",
    bell: options.bell ?? true,
  }
}

/** Runs the screen until the person leaves; resolves with the process's exit code. The API is closed by whoever opened it. */
export async function runTui(api: Api | Promise<Api>, options: TuiOptions = {}): Promise<number> {
  const stdin = options.stdin ?? process.stdin
  const stdout = options.stdout ?? process.stdout
  const now = options.now ?? Date.now
  const stopping = new AbortController()
  const ready = Promise.resolve(api)
  let exitCode = 0
  let suspender: ((during: () => Promise<void>) => Promise<void>) | null = null

  const write = (sequence: string) => {
    if (stdout.writable) stdout.write(sequence)
  }
  const perform = createPerformer({
    api: ready,
    signal: stopping.signal,
    dispatch: (action) => store.dispatch(action),
    write,
    now,
    repaint: () => repaint(),
    suspend: () => void suspender?.(() => sleepUntilContinued(write)).catch(() => undefined),
    exit: (code) => {
      exitCode = code
      instance.unmount()
    },
  })
  const store = createStore({
    initial: initialModel(settingsOf(options), ...sizeOf(stdout)),
    now,
    perform,
  })
  const tree = (
    <App
      store={store}
      write={write}
      onEnd={() => instance.unmount()}
      onSuspender={(suspend) => {
        suspender = suspend
      }}
    />
  )
  const instance = render(tree, {
    stdin,
    stdout,
    exitOnCtrlC: false,
    // Nothing may write between two frames; what the console says belongs to the log.
    patchConsole: true,
    alternateScreen: true,
    incrementalRendering: true,
    maxFps: FRAMES_MAX,
    interactive: true,
    isScreenReaderEnabled: false,
  })

  // Incremental frames after a resize would be drawn over a screen that the terminal has rearranged.
  function repaint(): void {
    write(CLEAR)
    instance.clear()
    instance.rerender(tree)
  }
  const onResize = () => {
    const [columns, rows] = sizeOf(stdout)
    store.dispatch({ type: "resize", columns, rows })
    repaint()
  }
  stdout.on("resize", onResize)
  const detach = attach(ready, store, perform, stopping.signal)
  try {
    await instance.waitUntilExit()
  } finally {
    stopping.abort()
    stdout.off("resize", onResize)
    detach()
    store.stop()
  }
  return exitCode
}

/** Connects the store to the API once it is there; until then the person sees that it is being opened. */
function attach(
  ready: Promise<Api>,
  store: Store,
  perform: (effect: { readonly type: "load" }) => void,
  signal: AbortSignal,
): () => void {
  const endings: (() => void)[] = []
  const connected = (api: Api): void => {
    if (signal.aborted) return
    endings.push(api.events((event) => store.tell(event)))
    endings.push(
      api.closed((reason) =>
        store.dispatch({
          type: "closed",
          what: `${SENTENCES.GONE.what} ${sanitizeLine(reason)}`.trim(),
          next: SENTENCES.GONE.next,
          exitCode: 6,
        }),
      ),
    )
    perform({ type: "load" })
  }
  const failed = (error: unknown): void =>
    store.dispatch({ type: "closed", ...startSentence(error), exitCode: exitCodeOf(error) })
  void ready.then(connected, failed)
  return () => {
    for (const end of endings) end()
  }
}
