/** Configuration revisions in KV `config`: `current`, and each under `revision-N`. Only console writes here. */

import type { Bucket } from '@tandem/bus/bucket.ts'
import type { Bus } from '@tandem/bus/bus.ts'
import { type ReadRevision, type Revision, readRevision, writeRevision } from '@tandem/config/revision.ts'
import { ConfigApplied } from '@tandem/contracts/config.ts'

export interface ConfigStore {
  current(): Extract<ReadRevision, { kind: 'ok' }> | undefined
  get(revision: number): Promise<Revision | undefined>
  list(): Promise<Pick<Revision, 'revision' | 'by' | 'at' | 'why'>[]>
  /** Makes it the running one, or says that somebody else was faster. */
  apply(
    change: Omit<Revision, 'revision' | 'at'>,
    rollbackOf?: number,
  ): Promise<{ kind: 'applied'; revision: Revision } | { kind: 'raced' }>
}

export async function openConfigStore(bus: Bus, onChange: (revision: number) => void): Promise<ConfigStore> {
  const bucket: Bucket = await bus.bucket('config')
  let current: Extract<ReadRevision, { kind: 'ok' }> | undefined
  let kvRevision = 0
  const take = (value: Uint8Array, revision: number): void => {
    const read = readRevision(value)
    if (read.kind !== 'ok') return
    current = read
    kvRevision = revision
    onChange(read.revision.revision)
  }
  const present = await bucket.get('current')
  if (present) take(present.value, present.revision)
  bucket.watch('current', (e) => {
    if (e && e.revision > kvRevision) take(e.value, e.revision)
  })
  const get = async (revision: number): Promise<Revision | undefined> => {
    const entry = await bucket.get(`revision.${revision}`)
    const read = entry && readRevision(entry.value)
    return read?.kind === 'ok' ? read.revision : undefined
  }
  return {
    current: () => current,
    get,
    list: async () => {
      const keys = await bucket.keys('revision.*')
      const all = await Promise.all(keys.map((k) => get(Number(k.slice('revision.'.length)))))
      return all
        .filter((r) => r !== undefined)
        .map(({ revision, by, at, why }) => ({ revision, by, at, why }))
        .sort((a, b) => b.revision - a.revision)
    },
    apply: async (change, rollbackOf) => {
      const revision: Revision = {
        ...change,
        revision: (current?.revision.revision ?? 0) + 1,
        at: new Date().toISOString(),
      }
      const bytes = writeRevision(revision)
      const written = await bucket.update('current', bytes, kvRevision)
      if (written === undefined) return { kind: 'raced' }
      take(bytes, written)
      await bucket.put(`revision.${revision.revision}`, bytes)
      bus.tell(ConfigApplied, {
        revision: revision.revision,
        by: revision.by,
        at: revision.at,
        why: revision.why,
        ...(rollbackOf === undefined ? {} : { rollbackOf }),
      })
      return { kind: 'applied', revision }
    },
  }
}
