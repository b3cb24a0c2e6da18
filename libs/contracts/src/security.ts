/** What an operator wants to be warned of. */
import Type from 'typebox'
import { fact } from './contract.ts'
import { Foreign, Id, Instant, Name } from './values.ts'

/** A request was refused for who sent it: wrong password, unknown trunk, ambiguous trunk, scanner, flood. */
export const SecurityRefused = fact({
  subject: 'security.v1.refused',
  body: Type.Object({
    edge: Id,
    at: Instant,
    source: Type.String({ maxLength: 128 }),
    listener: Name,
    method: Type.String({ maxLength: 32 }),
    why: Foreign,
    user: Type.Optional(Foreign),
  }),
  toldBy: ['edge-proxy'],
  heardBy: ['console'],
})
