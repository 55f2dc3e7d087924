import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { PathError, placesOf, SOCKET_PATH_BYTES_MAX } from "../../src/node/paths.ts"

const base = { env: {}, cwd: "/some", home: "/home/alice", uid: 1000, temporary: "/tmp" }

describe("paths: where a profile lives", () => {
  it("follows the XDG base directories, with their defaults", () => {
    assert.deepEqual(placesOf(base), {
      profile: "default",
      dataDir: "/home/alice/.local/share/sotto/default",
      socketPath: "/home/alice/.local/share/sotto/default/run/node.sock",
    })
    const env = { XDG_DATA_HOME: "/data", XDG_RUNTIME_DIR: "/run/user/1000" }
    assert.deepEqual(placesOf({ ...base, env }), {
      profile: "default",
      dataDir: "/data/sotto/default",
      socketPath: "/run/user/1000/sotto/default.sock",
    })
  })

  it("ignores relative and empty values, as the specification says", () => {
    const env = { XDG_DATA_HOME: "data", XDG_RUNTIME_DIR: "" }
    assert.deepEqual(placesOf({ ...base, env }), placesOf(base))
  })

  it("prefers --profile to SOTTO_PROFILE to default", () => {
    const env = { SOTTO_PROFILE: "work" }
    assert.equal(placesOf({ ...base, env }).profile, "work")
    assert.equal(placesOf({ ...base, env, profile: "play" }).profile, "play")
    assert.equal(placesOf({ ...base, env: { SOTTO_PROFILE: "" } }).profile, "default")
  })

  it("refuses a profile that would leave its folder", () => {
    for (const profile of ["", "..", "a/b", ".hidden", "-x", "A", "x".repeat(33), "é"])
      assert.throws(() => placesOf({ ...base, profile }), PathError)
  })

  it("puts everything under --data, the socket too", () => {
    const env = { XDG_RUNTIME_DIR: "/run/user/1000", XDG_DATA_HOME: "/data" }
    assert.deepEqual(placesOf({ ...base, env, data: "here" }), {
      profile: "default",
      dataDir: "/some/here",
      socketPath: "/some/here/run/node.sock",
    })
  })

  it("finds a short place for a socket whose path would not fit, the same one every time", () => {
    const data = `/${"deep/".repeat(30)}`
    const places = placesOf({ ...base, data })
    assert.match(places.socketPath, /^\/tmp\/sotto-1000\/[0-9a-f]{24}\.sock$/)
    assert.deepEqual(placesOf({ ...base, data }), places)
    assert.notEqual(placesOf({ ...base, data: `${data}x` }).socketPath, places.socketPath)
    const brink = `/${"x".repeat(SOCKET_PATH_BYTES_MAX - "//run/node.sock".length)}`
    assert.equal(placesOf({ ...base, data: brink }).socketPath, `${brink}/run/node.sock`)
    assert.match(placesOf({ ...base, data: `${brink}x` }).socketPath, /^\/tmp\//)
  })

  it("says so when no place is short enough, or there is no home", () => {
    const temporary = `/${"t".repeat(100)}`
    assert.throws(() => placesOf({ ...base, temporary, data: `/${"x".repeat(120)}` }), {
      code: "NO_PLACE",
    })
    assert.throws(() => placesOf({ ...base, home: "" }), { code: "NO_PLACE" })
  })
})
