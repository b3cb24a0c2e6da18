/** Where the log lines of a service process go: its standard output, written behind, that can be lost without harm. */
import { pino } from 'pino'
import sonicBoom from 'sonic-boom'

/** Lines that wait for a reader who does not read, at most, bytes; what comes after is dropped. */
const longestWait = 16 * 1024 * 1024

/** Lines are written together, so many bytes or after so many ms: each write wakes a thread and, when it is done, this one. */
const gatherBytes = 4096
const gatherMs = 200

const errorLevel = pino.levels.values.error as number

/** Tries to hand the last lines to a reader who takes none (EAGAIN) while the process ends; one each 100 ms. */
const triesAtExit = 10

/**
 * Standard output for pino. A reader who is gone (EPIPE, ECONNRESET) ends the log, never the service: not its work, nor
 * its end. pino's own destination would be of sonic-boom 4, whose flush before the end says "written" too early and whose
 * last flush tries a broken pipe again for ever. What is an error or worse is written at once, with what waits.
 */
export function standardOutput(): sonicBoom.SonicBoom {
  let tries = Number.POSITIVE_INFINITY
  const lines = new sonicBoom.SonicBoom({
    fd: 1,
    sync: false,
    minLength: gatherBytes,
    maxLength: longestWait,
    retryEAGAIN: () => tries-- > 0,
  })
  gatherLines(lines)
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

/** Also what is less than `gatherBytes` is written, errors at once: pino tells a destination that asks for it each line's level. */
function gatherLines(lines: sonicBoom.SonicBoom): void {
  const levelled = Object.assign(lines, { [pino.symbols.needsMetadataGsym]: true, lastLevel: 0 })
  const gather = lines.write
  let later: NodeJS.Timeout | undefined
  let urgent = false
  const flush = (): void => {
    clearTimeout(later)
    later = undefined
    lines.flush()
  }
  lines.write = (line) => {
    const goesOn = gather.call(lines, line)
    if (levelled.lastLevel >= errorLevel) {
      urgent = true
      flush()
    } else later ??= setTimeout(flush, gatherMs).unref()
    return goesOn
  }
  // an error that came while others were being written
  lines.on('drain', () => {
    if (urgent) lines.flush()
    urgent = false
  })
}
