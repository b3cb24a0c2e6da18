/** Limits of time on a machine that does other things besides. */
import { availableParallelism, loadavg } from 'node:os'

/** A limit that the design gives, ms, lengthened by as much as this machine has to do besides. */
export function whenBusy(ms: number): number {
  return ms * Math.min(Math.max((loadavg()[0] ?? 0) / availableParallelism(), 1), 10) + 250
}
