/** CPU time of process trees (Linux, /proc): every process of a system counts, whoever started it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** A system's process at the root of a tree: a part of Tandem, or the peer's main process. */
export interface Root {
  name: string
  pid: number
}

/** CPU time since the roots were started, µs, by the name of the root. */
export type CpuReading = ReadonlyMap<string, number>

/** proc(5): utime, stime, cutime and cstime are counted in clock ticks, 100 a second on every Linux of today. */
const TICK_US = 10_000

export function canReadCpu(): boolean {
  return existsSync('/proc/self/stat')
}

export function readCpu(roots: readonly Root[]): CpuReading {
  const { children, reaped } = readProcesses()
  return new Map(
    roots.map(({ name, pid }) => {
      const tree = [pid]
      for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i] as number) ?? []))
      // Those that ended meanwhile are counted by the parent that waited for them.
      return [name, tree.reduce((sum, each) => sum + ownUs(each) + (reaped.get(each) ?? 0), 0)]
    }),
  )
}

/**
 * Memory of the trees, bytes: what is in use and theirs alone, their part of what is shared added (Pss of proc(5)), or all
 * that is in use (Rss).
 */
export function readMemory(roots: readonly Root[], kind: 'Pss' | 'Rss' = 'Pss'): Map<string, number> {
  const { children } = readProcesses()
  return new Map(
    roots.map(({ name, pid }) => {
      const tree = [pid]
      for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i] as number) ?? []))
      return [name, tree.reduce((sum, each) => sum + ownMemory(each, kind), 0)]
    }),
  )
}

function ownMemory(pid: number, kind: 'Pss' | 'Rss'): number {
  const line = read(`/proc/${pid}/smaps_rollup`)
    ?.split('\n')
    .find((each) => each.startsWith(`${kind}:`))
  return 1024 * Number(/(\d+) kB/.exec(line ?? '')?.[1] ?? 0)
}

/** µs between two readings, by name. */
export function spent(before: CpuReading, after: CpuReading): Map<string, number> {
  return new Map([...after].map(([name, us]) => [name, us - (before.get(name) ?? 0)]))
}

export function total(reading: CpuReading): number {
  return [...reading.values()].reduce((sum, us) => sum + us, 0)
}

interface Processes {
  children: ReadonlyMap<number, readonly number[]>
  /** CPU of children that ended, µs */
  reaped: ReadonlyMap<number, number>
}

function readProcesses(): Processes {
  const children = new Map<number, number[]>()
  const reaped = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const fields = /^\d+$/.test(entry) ? readStat(entry) : undefined
    if (!fields) continue
    const pid = Number(entry)
    const parent = Number(fields[1])
    const siblings = children.get(parent)
    if (siblings) siblings.push(pid)
    else children.set(parent, [pid])
    reaped.set(pid, (Number(fields[13]) + Number(fields[14])) * TICK_US)
  }
  return { children, reaped }
}

/** The fields from the third on: the name in the second may hold spaces and parentheses. */
function readStat(pid: string): string[] | undefined {
  const text = read(`/proc/${pid}/stat`)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** Nanoseconds from the scheduler where it tells them, else ticks: 20 processes rounded to 10 ms each are no measure. */
function ownUs(pid: number): number {
  let us = 0
  for (const task of list(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${task}/schedstat`)
    if (text === undefined) return ticksUs(pid)
    us += Number(text.slice(0, text.indexOf(' '))) / 1000
  }
  return us
}

function ticksUs(pid: number): number {
  const fields = readStat(String(pid))
  return fields ? (Number(fields[11]) + Number(fields[12])) * TICK_US : 0
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined // it ended meanwhile
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
