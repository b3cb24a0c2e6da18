/** The running configuration, from the KV bucket that console writes. */
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET, CONFIG_KEY, readRevision } from '@tandem/config/revision.ts'
import type { Configuration } from '@tandem/config/schema.ts'
import type { Logger } from '@tandem/observability/log.ts'

const RETRY_MS = 500

/** Calls back with every revision that compiles; one that does not leaves the last one in force. Waits for the bucket. */
export function followConfiguration(
  bus: Bus,
  log: Logger,
  changed: (configuration: Configuration, revision: number) => void,
): Stop {
  let stopped = false
  let retry: NodeJS.Timeout | undefined
  let stopWatch: Stop | undefined

  async function open(): Promise<void> {
    try {
      const bucket = await bus.bucket(CONFIG_BUCKET)
      if (stopped) return
      stopWatch = bucket.watch(CONFIG_KEY, (entry) => {
        if (!entry) return
        const read = readRevision(entry.value)
        if (read.kind === 'ok') changed(read.configuration, read.revision.revision)
        else log.error({ why: read.message }, 'configuration refused, the last one stays in force')
      })
    } catch (error) {
      if (stopped) return
      log.debug({ err: error }, 'no configuration bucket yet')
      retry = setTimeout(() => void open(), RETRY_MS)
    }
  }
  const opening = open()

  return async () => {
    stopped = true
    clearTimeout(retry)
    await opening
    await stopWatch?.()
  }
}
