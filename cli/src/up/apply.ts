/** The first configuration, through the API like any other: the console checks it, runs its tests and publishes it. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Api, ApiFailure } from '../api/client.ts'
import type { Applied, CurrentConfiguration } from '../api/resources.ts'
import type { CheckedFiles } from './configuration.ts'
import type { DataFolder } from './data-folder.ts'

/** Tries until the console answers; a refusal is final. Gives a line to print. */
export async function applyWhenUp(
  api: Api,
  checked: CheckedFiles,
  folder: DataFolder,
  withinMs: number,
): Promise<string> {
  const until = performance.now() + withinMs
  for (;;) {
    try {
      return await apply(api, checked, join(folder.path, 'applied.json'))
    } catch (error) {
      const early = error instanceof ApiFailure && (error.status === 0 || error.status === 503)
      if (!early || performance.now() > until) throw error
      await new Promise((done) => setTimeout(done, 100))
    }
  }
}

/** A start with the files of the last one makes no new revision. */
async function apply(api: Api, checked: CheckedFiles, recordFile: string): Promise<string> {
  const { files: source, decks } = checked
  const digest = createHash('sha256')
    .update(JSON.stringify([source, decks]))
    .digest('hex')
  const before = readRecord(recordFile)
  if (before?.digest === digest && (await runningRevision(api)) === before.revision) {
    return `configuration revision ${before.revision}, unchanged: ${summary(checked)}`
  }
  const applied = await api.post<Applied>('/config/apply', { source, decks, why: 'tandem up' })
  writeFileSync(recordFile, JSON.stringify({ digest, revision: applied.revision }))
  return `configuration revision ${applied.revision}: ${summary(checked)}, ${count(applied.tests, 'test')} passed`
}

function readRecord(file: string): { digest: string; revision: number } | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}

async function runningRevision(api: Api): Promise<number | null> {
  try {
    return (await api.get<CurrentConfiguration>('/config')).revision
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 404) return null
    throw error
  }
}

function summary({ configuration: c }: CheckedFiles): string {
  return [count(c.sites, 'site'), count(c.users, 'user'), count(c.trunks, 'trunk')].join(', ')
}

function count(things: object, one: string): string {
  const n = Object.keys(things).length
  return `${n} ${one}${n === 1 ? '' : 's'}`
}
