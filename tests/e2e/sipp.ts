/** sipp (Debian: sip-tester) as caller and as carrier, with scenarios of this folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const scenarios = join(import.meta.dirname, 'scenarios')

export interface SippOptions {
  /** File in `scenarios/`. */
  readonly scenario: string
  readonly localPort: number
  /** Default 127.0.0.1. */
  readonly localAddress?: string
  /** host:port; for a caller. */
  readonly target?: string
  readonly calls?: number
  /** Calls per second. */
  readonly rate?: number
  /** -key NAME VALUE */
  readonly keys?: Readonly<Record<string, string>>
  readonly user?: string
  readonly password?: string
  /** Ends it whatever happens, s. */
  readonly timeout?: number
  readonly more?: readonly string[]
}

export interface SippRun {
  /** Resolves when sipp ended by itself. */
  readonly done: Promise<{ code: number; successful: number; failed: number; errors: string }>
  stop(): Promise<void>
}

export function findSipp(): string | undefined {
  return process.env.PATH?.split(':')
    .concat('/usr/bin')
    .map((d) => join(d, 'sipp'))
    .find((f) => {
      try {
        process.getBuiltinModule('node:fs').accessSync(f)
        return true
      } catch {
        return false
      }
    })
}

export async function startSipp(o: SippOptions): Promise<SippRun> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-sipp-'))
  const args = [
    ...(o.target === undefined ? [] : [o.target]),
    ...[
      '-sf',
      join(scenarios, o.scenario),
      '-i',
      o.localAddress ?? '127.0.0.1',
      '-p',
      String(o.localPort),
      '-nostdin',
      '-trace_stat',
      '-stf',
      join(folder, 'stat.csv'),
      '-fd',
      '1',
    ],
    ...['-trace_err', '-error_file', join(folder, 'errors.log'), '-timeout', String(o.timeout ?? 60), '-timeout_error'],
    ...(o.calls === undefined ? [] : ['-m', String(o.calls)]),
    ...(o.rate === undefined ? [] : ['-r', String(o.rate)]),
    ...(o.user === undefined ? [] : ['-s', o.user, '-au', o.user]),
    ...(o.password === undefined ? [] : ['-ap', o.password]),
    ...Object.entries(o.keys ?? {}).flatMap(([k, v]) => ['-key', k, v]),
    ...(o.more ?? []),
  ]
  const child = spawn('sipp', args, { stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, TERM: 'dumb' } })
  const done = finish(child, folder)
  return {
    done,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await done
    },
  }
}

async function finish(
  child: ChildProcess,
  folder: string,
): Promise<{ code: number; successful: number; failed: number; errors: string }> {
  const [code] = (await once(child, 'exit')) as [number | null]
  const text = await readFile(join(folder, 'stat.csv'), 'utf8').catch(() => '')
  const errors = (await readFile(join(folder, 'errors.log'), 'utf8').catch(() => '')).slice(0, 4000)
  await rm(folder, { recursive: true, force: true })
  const [head = '', ...rows] = text.trim().split('\n')
  const last = (rows.at(-1) ?? '').split(';')
  const column = (name: string): number => Number(last[head.split(';').indexOf(name)] ?? 0)
  return { code: code ?? -1, successful: column('SuccessfulCall(C)'), failed: column('FailedCall(C)'), errors }
}
