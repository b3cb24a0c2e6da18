/** A system that calls go through: Tandem or its peer. */
import type { Root } from './cpu-time.ts'

export interface System {
  name: string
  /** host:port that callers send to */
  target: string
  /** read anew each time: a part may have been started again */
  roots(): Root[]
  /** calls whose CDR is in the database by now; undefined when it cannot be asked just now */
  recorded(): Promise<number | undefined>
  stop(): Promise<void>
}
