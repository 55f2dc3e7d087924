/** The registry's entries for the running program: the chat and the node. */
import { type Command, type Option, passphrase, timeout } from "./parts.ts"

const ephemeral = {
  ephemeral: { type: "boolean", help: "keep everything in memory, write nothing to disk" },
  "max-messages": {
    type: "string",
    value: "N",
    help: "keep at most N envelopes and N texts in memory (10000); the oldest go",
  },
  backup: {
    type: "string",
    value: "FILE",
    help: "with --ephemeral: live from this backup; its passphrase is asked for. - is standard input (`sotto node` only)",
  },
} as const satisfies Record<string, Option>

export const NODE_COMMANDS: readonly Command[] = [
  {
    id: "chat",
    help: "open the chat (what `sotto` alone does)",
    detail:
      "Attaches to the profile's running node, or runs one for as long as the chat is open. With --ephemeral it always runs one " +
      "of its own, whose identity, contacts and messages are gone when the chat ends.",
    args: [],
    options: { ...ephemeral },
    json: null,
    load: () => import("../commands/chat.ts"),
  },
  {
    id: "node",
    help: "run a peer until it is told to stop",
    detail:
      "Prints one line when it is ready. SIGTERM and SIGINT let what is under way finish. A peer without an identity carries " +
      "for others.",
    args: [],
    options: {
      listen: {
        type: "string",
        value: "ADDR",
        multiple: true,
        help: "a multiaddr to listen on; none: this peer only calls",
      },
      announce: {
        type: "string",
        value: "ADDR",
        multiple: true,
        help: "a multiaddr to tell others as well, such as a port that a router passes on to this peer",
      },
      bootstrap: {
        type: "string",
        value: "ADDR",
        multiple: true,
        help: "a peer to begin with",
      },
      ticket: { type: "string", value: "TICKET", help: "join this mesh first" },
      mdns: { type: "boolean", help: "look for peers on the local network" },
      "no-mdns": { type: "boolean", help: "do not" },
      testnet: { type: "boolean", help: "settings for many peers on one machine", hidden: true },
      ...ephemeral,
      keep: {
        type: "string",
        value: "GIB",
        help: "how much of others' files to keep; 4 unless said, 0 for none",
      },
      "keep-days": { type: "string", value: "DAYS", help: "and for how long; 30 unless said" },
      relay: {
        type: "boolean",
        help: "let peers that cannot be called be reached over this one, within limits",
      },
      "reached-by": {
        type: "string",
        value: "HOW",
        choices: ["auto", "relay", "direct"],
        help: "whether others get here over a relay: when nobody calls directly (auto), always, or never",
      },
      "post-quantum": {
        type: "string",
        value: "HOW",
        choices: ["preferred", "required"],
        help: "whether connections must be post-quantum",
      },
      log: {
        type: "string",
        value: "FORM",
        choices: ["text", "json"],
        help: "how to print what goes on",
      },
      metrics: { type: "string", value: "PORT", help: "Prometheus and health on 127.0.0.1:PORT" },
      ...passphrase,
      "with-parent": {
        type: "boolean",
        hidden: true,
        help: "end when standard input ends: set by the chat for the node it runs",
      },
      "api-fd": {
        type: "string",
        value: "N",
        hidden: true,
        help: "serve the local API on this connected descriptor: set by the chat for the node it runs",
      },
    },
    json: null,
    load: () => import("../commands/node.ts"),
  },
  {
    id: "node stop",
    help: "stop the running node",
    args: [],
    options: { timeout },
    json: "object",
    load: () => import("../commands/node-stop.ts"),
  },
  {
    id: "node status",
    help: "exit 0 if a node runs and has peers, 6 if not",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/node-status.ts"),
  },
  {
    id: "status",
    help: "show the running node, its mesh and its peers in short",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/status.ts"),
  },
  {
    id: "peers",
    help: "list the peers the running node is connected to",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/peers.ts"),
  },
  {
    id: "doctor",
    help: "look for what is wrong, and say what to do about it",
    args: [],
    options: {},
    json: "object",
    load: () => import("../commands/doctor.ts"),
  },
]
