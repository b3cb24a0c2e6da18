/** One `tandem up` per data folder. The lock of a process that was killed is seen as stale and taken over. */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../failure.ts'
import { identify, isSame, type ProcessIdentity } from './process-identity.ts'

export interface Lock {
  /** the process that died without giving the lock back, if there was one */
  stale: ProcessIdentity | null
  release(): void
}

export function takeLock(runFolder: string, dataFolder: string): Lock {
  const path = join(runFolder, 'lock')
  const mine = join(runFolder, `lock.${process.pid}`)
  writeFileSync(mine, JSON.stringify(identify(process.pid)), { mode: 0o600 })
  let stale: ProcessIdentity | null = null
  try {
    for (let tries = 0; tries < 5; tries++) {
      try {
        linkSync(mine, path) // fails when it exists: atomic
        return { stale, release: () => releaseOwn(path) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readHolder(path)
      if (holder !== null && isSame(holder)) throw running(holder.pid, dataFolder)
      stale = holder
      rmSync(path, { force: true })
    }
    throw new Failure(`${path} cannot be taken`, 'Remove the file and try again.')
  } finally {
    rmSync(mine, { force: true })
  }
}

export function readHolder(path: string): ProcessIdentity | null {
  try {
    const holder = JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity
    return Number.isInteger(holder.pid) ? holder : null
  } catch {
    return null
  }
}

function releaseOwn(path: string): void {
  if (readHolder(path)?.pid === process.pid) rmSync(path, { force: true })
}

function running(pid: number, dataFolder: string): Failure {
  return new Failure(
    `Tandem runs already on ${dataFolder} (process ${pid})`,
    `"tandem status" shows it, "tandem down" stops it; for a second one give another folder: tandem up --data DIR`,
  )
}
