/** Where the log lines of a service process go: its standard output, written behind, that can be lost without harm. */
import sonicBoom from 'sonic-boom'

/** Lines that wait for a reader who does not read, at most, bytes; what comes after is dropped. */
const longestWait = 16 * 1024 * 1024

/** Tries to hand the last lines to a reader who takes none (EAGAIN) while the process ends; one each 100 ms. */
const triesAtExit = 10

/**
 * Standard output for pino. A reader who is gone (EPIPE, ECONNRESET) ends the log, never the service: not its work, nor
 * its end. pino's own destination would be of sonic-boom 4, whose flush before the end says "written" too early and whose
 * last flush tries a broken pipe again for ever.
 */
export function standardOutput(): sonicBoom.SonicBoom {
  let tries = Number.POSITIVE_INFINITY
  const lines = new sonicBoom.SonicBoom({
    fd: 1,
    sync: false,
    minLength: 0,
    maxLength: longestWait,
    retryEAGAIN: () => tries-- > 0,
  })
  const atExit = (): void => {
    tries = triesAtExit
    try {
      lines.flushSync()
    } catch {
      // nobody is there to read what could not be written
    }
  }
  process.on('exit', atExit)
  lines.on('error', () => {
    process.off('exit', atExit)
    lines.write = () => true
    lines.flush = (done) => done?.()
  })
  return lines
}
