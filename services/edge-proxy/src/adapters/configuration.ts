/** The configuration revision in force: from the bucket that console writes, else the last one that is on this disk. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { CONFIG_BUCKET, CONFIG_KEY, readRevision } from '@tandem/config/revision.ts'
import type { Logger } from '@tandem/observability/log.ts'

/** Pause before the bucket is asked for again while console has not made it yet, ms. */
const RETRY_MS = 250

export interface Revised {
  readonly configuration: Configuration
  readonly revision: number
  readonly bytes: Uint8Array
}

/** Calls back with every revision that compiles; a bad one is logged and leaves the last in force. */
export function followRevisions(bus: Bus, log: Logger, found: (revised: Revised) => void): Stop {
  let stopped = false
  let stopWatching: Stop | undefined
  let timer: NodeJS.Timeout | undefined
  const open = async (): Promise<void> => {
    try {
      const bucket = await bus.bucket(CONFIG_BUCKET)
      if (stopped) return
      stopWatching = bucket.watch(CONFIG_KEY, (entry) => {
        const revised = entry && read(entry.value, log)
        if (revised) found(revised)
      })
    } catch (error) {
      if (stopped) return
      log.debug({ err: error }, 'the configuration bucket is not there yet')
      timer = setTimeout(() => void open(), RETRY_MS)
    }
  }
  const opening = open()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await opening
    await stopWatching?.()
  }
}

const fileIn = (folder: string) => join(folder, 'edge', 'configuration.json')

/** Written whole or not at all. A disk that cannot be written does not stop calls. */
export async function keepOnDisk(folder: string, bytes: Uint8Array, log: Logger): Promise<void> {
  const file = fileIn(folder)
  try {
    await mkdir(join(folder, 'edge'), { recursive: true, mode: 0o700 })
    await writeFile(`${file}.part`, bytes, { mode: 0o600 })
    await rename(`${file}.part`, file)
  } catch (error) {
    log.warn({ err: error }, 'the configuration could not be kept on disk')
  }
}

export async function readFromDisk(folder: string, log: Logger): Promise<Revised | undefined> {
  try {
    return read(await readFile(fileIn(folder)), log)
  } catch {
    return undefined
  }
}

function read(bytes: Uint8Array, log: Logger): Revised | undefined {
  const outcome = readRevision(bytes)
  if (outcome.kind === 'ok') {
    return { configuration: outcome.configuration, revision: outcome.revision.revision, bytes }
  }
  log.error(
    { why: outcome.message, problems: outcome.problems.slice(0, 5) },
    'configuration refused, the last one stays in force',
  )
  return undefined
}
