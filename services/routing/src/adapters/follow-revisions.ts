import type { Bucket } from '@tandem/bus/bucket.ts'
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import { CONFIG_BUCKET, CONFIG_KEY } from '@tandem/config/revision.ts'
import type { Logger } from '@tandem/observability/log.ts'

/** Pause before the bucket is asked for again while console has not made it yet, ms. */
const retryMs = 250

/** Calls back with each configuration revision, the present one first. Returns at once; waits for the bucket by itself. */
export function followRevisions(bus: Bus, log: Logger, found: (bytes: Uint8Array) => void): Stop {
  let stopped = false
  let stopWatching: Stop | undefined
  let timer: NodeJS.Timeout | undefined
  const open = async (): Promise<void> => {
    try {
      const bucket: Bucket = await bus.bucket(CONFIG_BUCKET)
      if (!stopped) stopWatching = bucket.watch(CONFIG_KEY, (entry) => entry !== undefined && found(entry.value))
    } catch (error) {
      if (stopped) return
      log.debug({ err: error }, 'the configuration bucket is not there yet')
      timer = setTimeout(() => void open(), retryMs)
    }
  }
  void open()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await stopWatching?.()
  }
}
