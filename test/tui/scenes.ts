/** A conversation to look at: what the golden screens, the README picture and the benchmark show. */
import { FakeApi, T0 } from "./fake-api.ts"

export function gardenApi(): FakeApi {
  const api = new FakeApi()
  api.contact("bob", { verified: true })
  api.contact("carol", { state: "request", name: "", theirName: "carol ✓ verified" })
  api.contact("田中さん")
  api.contact("zoe", { state: "pending" })
  api.mine("bob", "draft is in the thread, have a look when you can", "delivered")
  api.past(
    "bob",
    'looks good, two nits:\n1. say "in order", not "ordered"\n2. the second table is wider than a page',
  )
  api.past("bob", "and the title, maybe", { sentAtMs: T0 + 86_000_000 })
  api.past("bob", "I rotated my key on Monday, please check", { sentAtMs: T0 + 86_100_000 })
  api.mine("bob", "will do", "ordered", { sentAtMs: T0 + 86_160_000 })
  api.mine("bob", "the log is 3 MB, shall I cut it?", "gossiped", { sentAtMs: T0 + 86_220_000 })
  api.mine(
    "bob",
    "https://example.org/a/rather/long/link/that/has/to/be/cut/somewhere?because=it-is-long",
    "failed",
    {
      failure: "QUEUE_FULL",
      sentAtMs: T0 + 86_280_000,
    },
  )
  api.mine("bob", "see you there 👋", "queued", { sentAtMs: T0 + 86_340_000 })
  api.past("mia", "budget?", { sentAtMs: T0 + 3_600_000 })
  api.past("ops", "deployed", { sentAtMs: T0 + 7_200_000 })
  api.past("田中さん", "おはようございます", { sentAtMs: T0 + 1_000_000 })
  api.past("carol", "hello, is this the right place?", { sentAtMs: T0 + 900_000 })
  api.thread("mia", { ...api.threads.get(api.thread("mia").id), unread: 14 })
  api.thread("ops", { ...api.threads.get(api.thread("ops").id), unread: 2 })
  return api
}
