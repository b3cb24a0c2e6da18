/** The process that changes the configuration as `tandem apply` and `tandem rollback` do, and says how long it took. */
import { type Api, connectApi } from '../api/client.ts'
import type { Applied, Changed } from '../api/resources.ts'
import { readChecked } from '../up/configuration.ts'
import { takeOrders } from './driver-process.ts'

export type ApplyOrder =
  | { kind: 'open'; address: string; token: string | null }
  /** Reads the files and checks them; nothing goes out. */
  | { kind: 'read'; file: string }
  /** What was read last. */
  | { kind: 'apply' }
  | { kind: 'rollback'; revision: number }

export interface ApplyAnswer {
  ms: number
  /** undefined: nothing was changed */
  revision?: number
  /** services in which it was not in force yet when it was said to be applied */
  waiting: string[]
}

let api: Api | undefined
let proposal: object | undefined

async function obey(order: ApplyOrder): Promise<ApplyAnswer> {
  const began = performance.now()
  const took = () => performance.now() - began
  const waits = ({ waiting = [] }: Changed) => waiting.map(({ service }) => service)
  switch (order.kind) {
    case 'open':
      api = connectApi(order)
      return { ms: took(), waiting: [] }
    case 'read': {
      const { files: source, decks } = readChecked(order.file)
      proposal = { source, decks, why: 'measurement' }
      return { ms: took(), waiting: [] }
    }
    case 'apply': {
      const applied = await opened().post<Applied>('/config/apply', proposal)
      return { ms: took(), revision: applied.revision, waiting: waits(applied) }
    }
    case 'rollback': {
      const { revision } = order
      const changed = await opened().post<Changed>('/config/rollback', { revision, why: 'measurement' })
      return { ms: took(), revision: changed.revision, waiting: waits(changed) }
    }
  }
}

function opened(): Api {
  if (api === undefined) throw new Error('the API was not opened')
  return api
}

takeOrders(obey)
