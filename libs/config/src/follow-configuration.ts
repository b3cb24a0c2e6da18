/** The running configuration, from the KV bucket that console writes. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration } from './defaults.ts'
import { followRevisions } from './follow.ts'
import { readRevisionAside } from './read-aside.ts'
import type { ReadRevision } from './revision.ts'

/** Calls back with every revision that compiles; one that does not leaves the last one in force. Waits for the bucket. */
export function followConfiguration(
  bus: Bus,
  log: { error(fields: { why: string }, message: string): void },
  changed: (configuration: Configuration, revision: number) => void,
): Stop {
  let inForce: number | undefined
  return followRevisions<Extract<ReadRevision, { kind: 'ok' }>>(bus, {
    make: async (bytes, urgent) => {
      const read = await readRevisionAside(bytes, { urgent })
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
