/** Limits and measures of time on a machine that does other things besides. */
import { availableParallelism, loadavg } from 'node:os'

/** A limit that the design gives, ms, lengthened by as much as this machine has to do besides. */
export function whenBusy(ms: number): number {
  return ms * Math.min(Math.max((loadavg()[0] ?? 0) / availableParallelism(), 1), 10) + 250
}

/**
 * A watch, to be read in ms: the time that passed, but not more than this process worked meanwhile. What the processor
 * gave to others is no time of ours.
 */
export function workWatch(): () => number {
  const [began, used] = [performance.now(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(used)
    return Math.min(performance.now() - began, (user + system) / 1000)
  }
}
