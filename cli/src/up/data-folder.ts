/** The data folder: what survives a stop, and what does not. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ProcessIdentity } from './process-identity.ts'

/** Where the console listens unless TANDEM_API says otherwise. */
export const DEFAULT_API = '127.0.0.1:8080'

export interface DataFolder {
  path: string
  secrets: string
  run: string
  logs: string
  nats: string
}

export function dataFolderOf(environment: NodeJS.ProcessEnv, given?: string): DataFolder {
  const path = resolve(given ?? environment.TANDEM_DATA ?? '.tandem')
  return {
    path,
    secrets: join(path, 'secrets'),
    run: join(path, 'run'),
    logs: join(path, 'logs'),
    nats: join(path, 'nats'),
  }
}

export function makeDataFolder(folder: DataFolder): void {
  mkdirSync(folder.path, { recursive: true })
  for (const each of [folder.secrets, folder.run, folder.nats]) mkdirSync(each, { recursive: true, mode: 0o700 })
  mkdirSync(folder.logs, { recursive: true, mode: 0o750 })
}

export interface RunningPart extends ProcessIdentity {
  name: string
  /** starting, ready, restarting, stopped */
  state: string
  restarts: number
  /** URL of its health port, null for NATS and PostgreSQL */
  health: string | null
  log: string
}

/** What `status` and `down` read; there while `up` runs, or after it was killed. */
export interface RunState {
  supervisor: ProcessIdentity
  startedAt: string
  readyAt: string | null
  config: string
  data: string
  api: string
  nats: string
  parts: RunningPart[]
}

const stateFile = (folder: DataFolder) => join(folder.run, 'state.json')

export function writeState(folder: DataFolder, state: RunState): void {
  const part = `${stateFile(folder)}.part`
  writeFileSync(part, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
  renameSync(part, stateFile(folder))
}

export function readState(folder: DataFolder): RunState | null {
  try {
    return JSON.parse(readFileSync(stateFile(folder), 'utf8')) as RunState
  } catch {
    return null
  }
}

export function removeState(folder: DataFolder): void {
  rmSync(stateFile(folder), { force: true })
}

/** The administrator's token that `up` made in this data folder, if it did. */
export function readToken(folder: DataFolder): string | null {
  try {
    return readFileSync(join(folder.secrets, 'api-token'), 'utf8').trim()
  } catch {
    return null
  }
}
