// The house rules that types cannot hold: which room may import which, and no clock or dice in the pure rooms.
import tseslint from "typescript-eslint"

const forbid = (files, rooms, why) => ({
  files,
  rules: {
    "no-restricted-imports": [
      "error",
      { patterns: [{ regex: `^(\\.\\./)+(${rooms.join("|")})/`, message: why }] },
    ],
  },
})

/** Rooms of the node that know only those below them. */
const below = (room, rooms) => ({
  files: [`src/node/${room}/**`],
  rules: {
    "no-restricted-imports": [
      "error",
      {
        patterns: [
          { regex: "^(\\.\\./)+(tui|cli)/", message: "node → chat, consensus, crypto" },
          {
            regex: `^\\.\\./(?!(${["[^/]+\\.ts$", ...rooms.map((each) => `${each}/`)].join("|")}))[^.]`,
            message: `node/${room} → ${rooms.map((each) => `node/${each}`).join(", ") || "none of the rooms beside it"}`,
          },
        ],
      },
    ],
  },
})

const pure = ["src/crypto/**/*.ts", "src/consensus/**/*.ts", "src/chat/**/*.ts"]

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "types/**", "**/*.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      eqeqeq: "error",
    },
  },
  {
    files: pure,
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "time is an argument here" },
        { object: "Math", property: "random", message: "randomness is an argument here" },
        { object: "performance", property: "now", message: "time is an argument here" },
      ],
      "no-restricted-globals": ["error", "setTimeout", "setInterval", "process", "fetch"],
    },
  },
  forbid(
    ["src/crypto/**"],
    ["consensus", "chat", "node", "tui", "cli"],
    "crypto imports nothing of ours",
  ),
  forbid(["src/consensus/**"], ["chat", "node", "tui", "cli"], "consensus → crypto only"),
  forbid(["src/chat/**"], ["consensus", "node", "tui", "cli"], "chat → crypto only"),
  forbid(["src/node/**"], ["tui", "cli"], "node → chat, consensus, crypto"),
  below("store", []),
  below("transport", ["store"]),
  below("mailbox", ["transport", "store"]),
  below("blobs", ["transport", "store"]),
  below("membership", ["mailbox", "store"]),
  below("mesh", ["mailbox", "transport", "store", "api"]),
  below("network", ["membership", "mesh", "mailbox", "transport", "store", "api"]),
  {
    files: ["src/tui/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: "^(\\.\\./)+(consensus|chat|crypto|cli)/",
              message: "the screen sees node/api only",
            },
            { regex: "^(\\.\\./)+node/(?!api[./])", message: "the screen sees node/api only" },
          ],
        },
      ],
    },
  },
  {
    files: ["test/**", "bench/**", "scripts/**"],
    rules: {
      // node:test's describe/it/test return promises that the runner itself awaits
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", name: ["it", "test", "describe", "suite"], package: "node:test" },
          ],
        },
      ],
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
)
