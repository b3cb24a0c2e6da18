/** Telling a process from a later one with the same pid. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  pid: number
  /** when it was born, in the system's own words; null when the system does not say */
  birth: string | null
}

export function identify(pid: number): ProcessIdentity {
  return { pid, birth: birthOf(pid) }
}

/** Alive, and the same process as when it was identified. */
export function isSame(process_: ProcessIdentity): boolean {
  if (!isAlive(process_.pid)) return false
  return process_.birth === null || process_.birth === birthOf(process_.pid)
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function birthOf(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null
    }
    // proc(5): field 22 is the start time in ticks since boot; the name in field 2 may hold spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return 'zombie'
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}/${fields[19]}`
  } catch {
    return null
  }
}
