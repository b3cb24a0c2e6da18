/** Configuration revisions: KV bucket `config`, written by console only; every service watches the key `current`. */
import Type from 'typebox'
import { fact } from './contract.ts'
import { Count, Foreign, Instant, Name } from './values.ts'

export const ConfigApplied = fact({
  subject: 'config.v1.applied',
  body: Type.Object({
    revision: Count,
    by: Name,
    at: Instant,
    why: Type.Optional(Foreign),
    /** Set when an older revision came back. */
    rollbackOf: Type.Optional(Count),
  }),
  toldBy: ['console'],
  heardBy: ['edge-proxy', 'routing', 'presence', 'location', 'billing', 'console'],
})
