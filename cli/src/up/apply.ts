/** The first configuration, through the API like any other: the console checks it, runs its tests and publishes it. */
import { type Api, ApiFailure } from '../api/client.ts'
import type { Applied } from '../api/resources.ts'
import type { CheckedFiles } from './configuration.ts'

/** Tries until the console answers; a refusal is final. Gives a line to print. */
export async function applyWhenUp(api: Api, checked: CheckedFiles, withinMs: number): Promise<string> {
  const until = performance.now() + withinMs
  for (;;) {
    try {
      return await apply(api, checked)
    } catch (error) {
      const early = error instanceof ApiFailure && (error.status === 0 || error.status === 503)
      if (!early || performance.now() > until) throw error
      await new Promise((done) => setTimeout(done, 100))
    }
  }
}

async function apply(api: Api, checked: CheckedFiles): Promise<string> {
  const applied = await api.post<Applied>('/config/apply', {
    source: checked.files,
    decks: checked.decks,
    why: 'tandem up',
  })
  const { sites, users, trunks, tests } = checked.configuration
  const count = (record: object, one: string) => {
    const n = Object.keys(record).length
    return `${n} ${one}${n === 1 ? '' : 's'}`
  }
  return `configuration revision ${applied.revision}: ${count(sites, 'site')}, ${count(users, 'user')}, ${count(trunks, 'trunk')}, ${count(tests, 'test')} passed`
}
