import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What postmaster.pid says: https://www.postgresql.org/docs/18/storage-file-layout.html */
export interface RunningServer {
  pid: number
  port: number
  ready: boolean
}

/** The server that runs on this data directory, if one does. A stale pid file, even of a reused pid, counts as none. */
export async function findRunning(data: string): Promise<RunningServer | undefined> {
  const lines = await readPidFile(data)
  if (lines === undefined) return undefined
  const pid = Number(lines[0])
  if (!Number.isSafeInteger(pid) || pid <= 1 || !(await isServerOf(pid, data))) return undefined
  return { pid, port: Number(lines[3] ?? 0), ready: lines[7]?.trim() === 'ready' }
}

/**
 * After kill -9 the pid file stays. PostgreSQL removes one of a dead process by itself, but refuses to start when
 * another process has got that pid meanwhile (usual in containers): then it is removed here.
 */
export async function removeStalePidFile(data: string): Promise<void> {
  const lines = await readPidFile(data)
  if (lines === undefined) return
  const pid = Number(lines[0])
  if (isAlive(pid) && !(await isServerOf(pid, data))) await rm(join(data, 'postmaster.pid'), { force: true })
}

async function readPidFile(data: string): Promise<string[] | undefined> {
  try {
    return (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function isServerOf(pid: number, data: string): Promise<boolean> {
  if (!isAlive(pid)) return false
  const command =
    process.platform === 'linux'
      ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      : await run('ps', ['-o', 'command=', '-p', String(pid)]).then(
          (result) => result.stdout,
          () => '',
        )
  return command.includes('postgres') && command.includes(data)
}

/** Stops a server: "fast" first (sessions are closed, a checkpoint written), "immediate" when that takes too long. */
export async function stopServer(pid: number, patienceMs = 15_000): Promise<void> {
  for (const [signal, patience] of [
    ['SIGINT', patienceMs],
    ['SIGQUIT', 5000],
    ['SIGKILL', 2000],
  ] as const) {
    if (!signalTo(pid, signal)) return
    const until = performance.now() + patience
    while (performance.now() < until) {
      if (!isAlive(pid)) return
      await sleep(20)
    }
  }
  throw new Error(`PostgreSQL (pid ${pid}) does not stop`)
}

function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
