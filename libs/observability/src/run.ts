/** The life of a service process: start, say ready, stop in order on SIGTERM or SIGINT, never hang. */
import type { Logger } from './log.ts'

/** Longest time that a stop may take before the process ends anyway, ms. */
const stopWithinMs = 10_000

export interface RunOptions {
  /**
   * Once ready, an exception that nobody caught is logged and the process goes on: for a process whose end would end the
   * calls of many others. Without it such an exception ends the process, to be started again.
   */
  readonly goesOn?: boolean
}

export function runService(
  log: Logger,
  start: () => Promise<{ stop(): Promise<void> }>,
  options: RunOptions = {},
): void {
  let stopping = false
  let started: { stop(): Promise<void> } | undefined
  if (options.goesOn) {
    // rejections that nobody handles come here too (Node's default for them is to throw)
    process.on('uncaughtException', (error, origin) => {
      log[started ? 'error' : 'fatal']({ alarm: 'uncaught', err: error, origin }, 'unexpected')
      if (!started) stop('could not start', 1)
    })
  }
  const stop = (why: string, code: number): void => {
    if (stopping) return
    stopping = true
    log.info({ why }, 'stopping')
    setTimeout(() => process.exit(code || 1), stopWithinMs).unref()
    void Promise.resolve(started?.stop())
      .catch((error: unknown) => log.error({ err: error }, 'stop failed'))
      .finally(() => log.flush(() => process.exit(code)))
  }
  process.once('SIGTERM', () => stop('SIGTERM', 0))
  process.once('SIGINT', () => stop('SIGINT', 0))
  // The supervisor is gone (its end of our stdin closed): do not stay behind.
  if (process.env.TANDEM_SUPERVISED === '1') process.stdin.on('end', () => stop('supervisor gone', 0)).resume()
  start().then(
    (s) => {
      started = s
      log.info('ready')
      if (stopping) void s.stop()
    },
    (error: unknown) => {
      log.fatal({ err: error }, 'could not start')
      stop('could not start', 1)
    },
  )
}
