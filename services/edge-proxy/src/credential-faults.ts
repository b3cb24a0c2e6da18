/** Certificates and keys of ours that cannot be used: said once in the log and on the bus, and counted until they can. */
import type { Bus } from '@tandem/bus/bus.ts'
import { SecurityCredentialChanged } from '@tandem/contracts/security.ts'
import type { Logger } from '@tandem/observability/log.ts'
import type { Clock } from './edge.ts'

/** Kept and told of at most; the log says all. */
const MOST = 1_000

export interface CredentialFaults {
  /** `what`: where it is configured (`listener remote`). `why`: without any secret; undefined: it can be used. */
  say(what: string, why: string | undefined): void
  /** How many cannot be used now. */
  count(): number
}

export function createCredentialFaults(parts: {
  readonly node: string
  readonly bus: Pick<Bus, 'tell'>
  readonly log: Pick<Logger, 'info' | 'error'>
  readonly clock: Pick<Clock, 'wall'>
}): CredentialFaults {
  const { node, bus, log, clock } = parts
  const faults = new Map<string, string>()

  const tell = (what: string, why: string | undefined) => {
    const at = new Date(clock.wall()).toISOString()
    const body = { edge: node, at, what: what.slice(0, 128), usable: why === undefined }
    bus.tell(SecurityCredentialChanged, why === undefined ? body : { ...body, why: why.slice(0, 1024) })
  }

  return {
    say(what, why) {
      if (faults.get(what) === why) return
      if (why === undefined) {
        faults.delete(what)
        log.info({ what }, 'can be used again')
      } else {
        if (faults.size >= MOST && !faults.has(what)) return void log.error({ what, why }, 'cannot be used')
        faults.set(what, why)
        log.error({ what, why }, 'cannot be used: what was in use before stays, if there was any')
      }
      tell(what, why)
    },
    count: () => faults.size,
  }
}
