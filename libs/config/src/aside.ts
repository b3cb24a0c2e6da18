/**
 * Work on a large revision in a process of its own, that hands over what it made piece by piece. Not in a thread: what a
 * thread leaves behind (some 400 MB for 50,000 users) is given back to the system eight seconds after it ended, and for
 * these 0.2 s every other thread of the process stands still, with the calls it decides (measured: V8 13.6).
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'

/** A smaller revision is read in a few milliseconds, which is less than a process takes to begin. */
export const largeBytes = 200_000

/** gzip (RFC 1952 2.3.1), as the bucket has what is larger than a message; JSON never begins so. */
export const isPacked = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

/** Is it read by a process of its own, which unpacks it, too? */
export const isLarge = (bytes: Uint8Array): boolean => bytes.length >= largeBytes || isPacked(bytes)

/** No revision takes that long, ms: what goes on then is stuck. */
const longestMs = 300_000
/** The calls go first. */
const niceness = 10

/**
 * The pieces that `module` makes of `bytes` (it calls `givePieces`), each made when it is asked for; of several they are
 * what one would be that holds them all. Throws when the process ends before its last piece; ends it in any case.
 * `urgent`: nothing is decided before it is read.
 */
export async function* piecesOf<Piece>(
  module: URL,
  bytes: Uint8Array | readonly Uint8Array[],
  args: readonly string[] = [],
  { urgent = false } = {},
): AsyncGenerator<Piece, void, void> {
  const { TZ, NODE_COMPILE_CACHE } = process.env
  const child = fork(module, args, {
    // nothing of the environment, which holds secrets, but the zone in which a date without one is read here, too, and
    // where compiled modules are kept
    ...{
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: { TZ, NODE_COMPILE_CACHE },
      serialization: 'advanced',
    },
    ...{ stdio: ['pipe', 'ignore', 'inherit', 'ipc'], timeout: longestMs },
    // In a session of its own: Linux shares processors out by session before niceness counts (sched(7), autogroup), and
    // what this one takes would be the share of the service that answers calls.
    detached: true,
  })
  // a process that could not be started says so as `error`, one that ended early as `exit`
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the process that reads it ended early (${signal ?? code})`)
  })
  gone.catch(() => {})
  try {
    if (child.pid !== undefined && !urgent) calmly(child.pid)
    child.stdin?.on('error', () => {})
    for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) child.stdin?.write(part)
    child.stdin?.end()
    for (;;) {
      const answer = once(child, 'message')
      answer.catch(() => {})
      child.send('next', () => {})
      const [piece] = (await Promise.race([answer, gone])) as [Piece | 'end']
      if (piece === 'end') return
      yield piece
    }
  } finally {
    child.kill('SIGKILL')
  }
}

function calmly(pid: number): void {
  try {
    setPriority(pid, niceness)
  } catch {
    // a system that does not allow it, or a process that is gone already: `exit` tells
  }
}
