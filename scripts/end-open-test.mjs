// Loaded into each test process: one that still has something open long after its tests, as when a `before` failed half
// way, is a failure that says what, and not a run that never ends.
const LONGEST_MS = 600_000

setTimeout(() => {
  console.error(`still open after ${LONGEST_MS / 1000} s: ${process.getActiveResourcesInfo().join(', ')}`)
  process.exit(1)
}, LONGEST_MS).unref()
