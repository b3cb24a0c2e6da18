/** The configuration revision in force: from the bucket that console writes, else the last one that is on this disk. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bus, Stop } from '@tandem/bus/bus.ts'
import type { Configuration } from '@tandem/config/defaults.ts'
import { followRevisions, type Made } from '@tandem/config/follow.ts'
import { readRevisionAside } from '@tandem/config/read-aside.ts'
import type { Logger } from '@tandem/observability/log.ts'

export interface Revised {
  readonly configuration: Configuration
  readonly revision: number
  readonly bytes: Uint8Array
}

/**
 * Calls back with every revision that compiles; a bad one is logged and leaves the last in force. `revision`: the one in
 * force, `node`: this edge.
 */
export function followConfiguration(
  bus: Bus,
  log: Logger,
  { node, revision }: { node: string; revision: () => number | undefined },
  found: (revised: Revised) => void,
): Stop {
  return followRevisions<Revised>(bus, {
    instance: node,
    make: read,
    use: found,
    refused: (why) => log.error({ why }, 'configuration refused, the last one stays in force'),
    revision,
  })
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
    const kept = await read(await readFile(fileIn(folder)), true)
    if (kept.kind === 'made') return kept.value
    log.error({ why: kept.why }, 'the configuration on disk is not used')
    return undefined
  } catch {
    return undefined
  }
}

async function read(bytes: Uint8Array, urgent: boolean): Promise<Made<Revised>> {
  const outcome = await readRevisionAside(bytes, { urgent })
  if (outcome.kind === 'ok') {
    const { configuration, revision } = outcome
    return { kind: 'made', value: { configuration, revision: revision.revision, bytes } }
  }
  const problems = outcome.problems.slice(0, 5).map(({ line, message }) => `line ${line}: ${message}`)
  return { kind: 'bad', why: [outcome.message, ...problems].join('; ') }
}
