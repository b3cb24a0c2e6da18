/** up, down, status */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { Failure } from '../failure.ts'
import { colours } from '../print/colours.ts'
import { table } from '../print/table.ts'
import { clock } from '../print/times.ts'
import { type DataFolder, dataFolderOf, type RunningPart, type RunState, readState } from '../up/data-folder.ts'
import { endLeftovers } from '../up/leftovers.ts'
import { readHolder } from '../up/lock.ts'
import { isSame } from '../up/process-identity.ts'
import { addCommand, type CommonOptions, print } from './command.ts'

const DOWN_WITHIN_MS = 60_000

export function addRunCommands(program: Command): void {
  addCommand(
    program,
    'up',
    'start everything on this machine and keep it running; Ctrl-C stops it',
    'up --config examples/acme/tandem.yaml',
  )
    .option('--config <file>', 'configuration file or folder (default ./tandem.yaml)')
    .action(async (options: CommonOptions & { config?: string }) => {
      const { runUp } = await import('../up/run-up.ts') // loads much: not for the other commands
      process.exitCode = await runUp({
        config: options.config ?? defaultConfig(),
        data: options.data,
        json: options.json ?? false,
      })
    })
  addCommand(program, 'down', 'stop what "tandem up" started', 'down').action(down)
  addCommand(program, 'status', 'what runs, and whether it is ready', 'status').action(status)
}

function defaultConfig(): string {
  if (existsSync('tandem.yaml')) return 'tandem.yaml'
  throw new Failure('there is no tandem.yaml here', 'Give one: tandem up --config examples/acme/tandem.yaml')
}

async function down(options: CommonOptions): Promise<void> {
  const folder = dataFolderOf(process.env, options.data)
  const state = readState(folder)
  const holder = readHolder(join(folder.run, 'lock'))
  if (holder && isSame(holder)) {
    process.kill(holder.pid, 'SIGTERM')
    const until = performance.now() + DOWN_WITHIN_MS
    while (isSame(holder)) {
      if (performance.now() > until) {
        throw new Failure(
          `process ${holder.pid} has not stopped after ${DOWN_WITHIN_MS / 1000} s`,
          `Look at ${folder.logs}; "kill -9 ${holder.pid}" and "tandem down" again end it for sure.`,
        )
      }
      await new Promise((done) => setTimeout(done, 50))
    }
    print(options, { stopped: true, pid: holder.pid }, () => 'stopped')
    return
  }
  const ended = await clearUp(folder)
  const what = ended.length > 0 ? `; ended ${ended.join(', ')}, left behind by an "up" that was killed` : ''
  print(
    options,
    { stopped: ended.length > 0, ended, wasRunning: state !== null },
    () => `nothing runs on ${folder.path}${what}`,
  )
}

async function clearUp(folder: DataFolder): Promise<string[]> {
  const { findEmbedded } = await import('@tandem/store/embedded.ts')
  const ended = (await endLeftovers(folder)).map((part) => part.name)
  const postgres = existsSync(folder.path) ? await findEmbedded({ dataFolder: folder.path }) : undefined
  if (postgres) {
    await postgres.stop()
    ended.push('postgres')
  }
  const { removeNatsFiles } = await import('../up/nats.ts')
  if (existsSync(folder.run)) removeNatsFiles(folder)
  rmSync(join(folder.run, 'lock'), { force: true })
  return ended
}

async function status(options: CommonOptions): Promise<void> {
  const folder = dataFolderOf(process.env, options.data)
  const state = readState(folder)
  if (state === null || !isSame(state.supervisor)) {
    const killed = (state?.parts ?? []).some((part) => part.birth !== null && isSame(part))
    throw new Failure(
      killed ? `"tandem up" was killed and left processes behind` : `nothing runs on ${folder.path}`,
      killed ? '"tandem down" ends them, "tandem up" takes over.' : 'Start it: tandem up --config <file>',
    )
  }
  const parts = await Promise.all(state.parts.map(async (part) => ({ ...part, state: await stateOf(part) })))
  const ready = parts.every((part) => part.state === 'ready')
  print(options, { ...state, parts, ready }, () => describe(state, parts))
  if (!ready) process.exitCode = 1
}

async function stateOf(part: RunningPart): Promise<string> {
  if (part.birth === null || !isSame(part)) return 'not running'
  if (part.health === null) return part.state
  try {
    const response = await fetch(`${part.health}/readyz`, { signal: AbortSignal.timeout(2000) })
    if (response.ok) return 'ready'
    const { why } = (await response.json()) as { why?: string }
    return `not ready: ${why ?? response.status}`
  } catch {
    return 'does not answer'
  }
}

function describe(state: RunState, parts: RunningPart[]): string {
  const rows = table<RunningPart>(
    [
      { head: 'part', value: (p) => p.name },
      { head: 'state', value: (p) => (p.state === 'ready' ? colours.green(p.state) : colours.red(p.state)) },
      { head: 'pid', value: (p) => p.pid || '', align: 'right' },
      { head: 'restarts', value: (p) => p.restarts, align: 'right' },
      { head: 'health', value: (p) => (p.health ? `${p.health}/readyz` : '') },
      { head: 'log', value: (p) => p.log },
    ],
    parts,
  )
  return [
    rows,
    '',
    `configuration ${state.config}   data ${state.data}   up since ${clock(state.startedAt)}`,
    `console ${state.api}   NATS ${state.nats}`,
  ].join('\n')
}
