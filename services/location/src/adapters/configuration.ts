/** The running configuration, from the KV bucket that console writes. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import { followRevisions } from '@tandem/config/follow.ts'
import { readRevisionAside } from '@tandem/config/read-aside.ts'
import type { ReadRevision } from '@tandem/config/revision.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import type { Logger } from '@tandem/observability/log.ts'

/** Calls back with every revision that compiles; one that does not leaves the last one in force. Waits for the bucket. */
export function followConfiguration(
  bus: Bus,
  log: Logger,
  changed: (configuration: Configuration, revision: number) => void,
): Stop {
  let inForce: number | undefined
  return followRevisions<Extract<ReadRevision, { kind: 'ok' }>>(bus, {
    make: async (bytes) => {
      const read = await readRevisionAside(bytes)
      return read.kind === 'ok' ? { kind: 'made', value: read } : { kind: 'bad', why: read.message }
    },
    use: ({ configuration, revision: { revision } }) => {
      changed(configuration, revision)
      inForce = revision
    },
    refused: (why) => log.error({ why }, 'configuration refused, the last one stays in force'),
    revision: () => inForce,
  })
}
